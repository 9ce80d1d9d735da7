"""Recorded walks as sources, and the shipped stand-ins of the other ports."""
