"""Supervised fine-tuning, and pre-training, which is the same loss over every token."""
