"""Evaluation: versioned suites, honest statistics, comparisons on the same problems."""
