"""Blobs and codes."""
