"""Which sampler `auto` means: a fixed rule, resolved before the fingerprint is taken, so that it is part of it."""

from typing import Literal, get_args

SamplerName = Literal["transformers", "vllm"]

VLLM_FROM = 1_000_000
"""Parameters from which vLLM is the faster one on a CPU (``benchmarks/sampler.py``: even at about 0.4 million, and 1.4
times as fast at 1.1 million)."""


def resolve_sampler(name: str, *, device: str, num_parameters: int | None, served: bool = True) -> SamplerName:
    """The sampler's name for ``auto``, or the name itself.

    On a CPU vLLM from ``VLLM_FROM`` parameters on. transformers for smaller models, where nobody knows the number before
    the weights are loaded (``num_parameters`` None), on a GPU, where the two have not been measured side by side, and for a
    model that is not ``served`` by vLLM's CPU build (:mod:`r1flow.components.sampling.vllm_families`).
    """
    for known in get_args(SamplerName):
        if name == known:
            return known
    if name != "auto":
        raise ValueError(f"there is no sampler {name!r}; there are auto, {', '.join(get_args(SamplerName))}")
    large = num_parameters is not None and num_parameters >= VLLM_FROM
    return "vllm" if device == "cpu" and large and served else "transformers"
