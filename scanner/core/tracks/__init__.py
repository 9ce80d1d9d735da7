"""Pieces of tracks, looked at again once the walk is known: which of them are of one camera."""
