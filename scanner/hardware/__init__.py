"""Adapters to devices: one vendor library per file, imported inside the constructor."""
