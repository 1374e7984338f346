"""Drawn answers in mathematics with their equivalent forms and near misses; sound by construction."""
