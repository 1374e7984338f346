"""Samplers generate completions. All of them speak the protocol in :mod:`components.sampling.base`."""
