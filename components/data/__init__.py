"""Rows, sources, cleaning and batching."""
