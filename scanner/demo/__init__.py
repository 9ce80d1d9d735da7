"""The demo: a rendered walk and its truth (``models/walk.py`` makes it)."""
