"""Proofs that a user can run: the gradient, the served weights, the resumed run. Each can fail, and is shown to."""
