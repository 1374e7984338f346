"""How many tokens a model can tell apart by their position: the bound of a prompt and its completion together."""

from typing import Any

EXTENDED = ("linear", "dynamic", "yarn")
"""Kinds of RoPE scaling whose factor may stand beside the length before it. With all others (``llama3``, ``longrope``) the
config's length is the one after it."""


def known_positions(config: Any) -> int | None:
    """Of a model's config (``PretrainedConfig``); None where a family has no bound or hides it.

    ``max_position_embeddings``, under whatever name the family has for it, times the factor of a RoPE scaling that starts from
    it. A scaling that names the length it starts from (``original_max_position_embeddings``) reaches so often that one, and
    never less than the config's. ALiBi, recurrent models and relative positions have no bound. vLLM derives the same.

    Llama 4 scales scores by ``floor((place + 1) / floor_scale)``, and transformers takes the place in the row for it, padding
    included: its bound is where that is still 0.
    """
    text = config.get_text_config(decoder=True)
    bound = _bound(text)
    if bound is not None and getattr(text, "attn_temperature_tuning", False):
        return min(bound, max(1, int(text.floor_scale) - 1))
    return bound


def _bound(text: Any) -> int | None:
    plain = getattr(text, "max_position_embeddings", None)
    if not isinstance(plain, int) or plain <= 0 or getattr(text, "alibi", False):
        return None
    scaling = getattr(text, "rope_parameters", None) or {}
    factor = scaling.get("factor")
    if scaling.get("rope_type") not in EXTENDED or not isinstance(factor, int | float) or factor <= 1:
        return plain
    started = scaling.get("original_max_position_embeddings")
    return max(plain, round((started or plain) * factor))
