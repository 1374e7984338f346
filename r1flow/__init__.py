"""Data to a reasoning model by the DeepSeek-R1 recipe: orchestrated, tracked, content-addressed."""

__version__ = "0.1.0"
