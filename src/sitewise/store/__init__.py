"""Frames and results to and from files, the same bytes for the same content."""
