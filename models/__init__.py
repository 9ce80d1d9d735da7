"""Offline tools that make the detector: procedural pictures, training and export."""
