"""Procedural cameras, look-alikes and streets, drawn by Blender."""
