"""Cameras in OpenStreetMap's words: its tags, read and written, and its nodes beside ours."""
