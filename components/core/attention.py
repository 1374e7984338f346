"""Attention of one's own inside a transformers model: a forward pass may bring the function that computes it.

``model.base_model(..., attend=f)`` after :func:`open_attention` calls ``f(module, query, key, value, scaling)`` in every
layer, with queries (rows, heads, T, size) and keys and values (rows, key-value heads, S, size) behind rotary embedding and
cache; it answers (rows, T, heads, size). Without ``attend`` the model attends by torch's own function, as before, so that
it stays opened: a checkpointed layer that is computed again in the backward pass has to find the same function.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, sdpa_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

MODEL_TYPES = ("qwen2", "qwen3")
"""Architectures that hand keyword arguments on to attention and take a ready mask."""
NAME = "r1_attention"

Attend = Callable[[torch.nn.Module, Tensor, Tensor, Tensor, float], Tensor]


def open_attention(model: PreTrainedModel) -> bool:
    """Make ``model`` take ``attend``; False, and nothing changed, for an architecture that has not been proven."""
    config = model.config
    if config.model_type not in MODEL_TYPES or set(config.layer_types) != {"full_attention"}:
        return False
    if config._attn_implementation == "sdpa":
        config._attn_implementation = NAME
    return bool(config._attn_implementation == NAME)


def packed_states(model: PreTrainedModel, ids: Tensor, positions: Tensor, attend: Attend) -> Tensor:
    """Hidden states (T, D) of one packed row of token ids (T,), whose tokens see what ``attend`` lets them see.

    No mask over the row is ever made. ``model`` must have been opened.
    """
    hidden: Tensor = model.base_model(
        input_ids=ids[None],
        position_ids=positions[None],
        attention_mask={"full_attention": None},  # a dict is taken as it is
        use_cache=False,
        attend=attend,
    ).last_hidden_state
    return hidden[0]


def _attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    attend: Attend | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    if attend is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
    return attend(module, query, key, value, kwargs["scaling"]), None


ALL_ATTENTION_FUNCTIONS.register(NAME, _attention)
ALL_MASK_ATTENTION_FUNCTIONS.register(NAME, sdpa_mask)
