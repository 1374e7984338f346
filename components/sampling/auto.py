"""Which sampler `auto` means: a fixed rule, resolved before the fingerprint is taken, so that it is part of it."""

from typing import Literal

SamplerName = Literal["transformers"]


def resolve_sampler(name: str, *, device: str, num_parameters: int | None) -> SamplerName:
    """The sampler's name for ``auto``, or the name itself.

    ``transformers`` on every device and for every size: it is the one sampler there is. ``device`` and
    ``num_parameters`` (None where nobody knows it before the weights are loaded) are what the rule is to decide by as soon
    as there is a second one.
    """
    if name not in ("auto", "transformers"):
        raise ValueError(f"there is no sampler {name!r}")
    return "transformers"
