"""Engines step the optimizer; trainers hand them losses."""
