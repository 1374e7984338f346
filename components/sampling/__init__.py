"""Samplers generate completions. All of them speak the protocol in :mod:`r1flow.components.sampling.base`."""
