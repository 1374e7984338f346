"""Attention of one's own inside a transformers model: a forward pass may bring the function that computes it.

``model.base_model(..., attention_mask=unread_mask(device), attend=f)`` after :func:`open_attention` calls
``f(module, query, key, value, rule)`` in every layer, with queries (rows, heads, T, size) and keys and values (rows, key-value
heads, S, size) behind rotary embedding and cache; it answers (rows, T, heads, size of a value). Without ``attend`` the model
attends as it did before, so that it stays opened: a checkpointed layer that is computed again in the backward pass has to find
the same function.
"""

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, eager_mask, sdpa_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

PROVEN = frozenset(
    {
        *(
            "cohere2",
            "deepseek_v3",
            "gemma2",
            "gemma3_text",
            "glm4",
            "gpt2",
            "gpt_neox",
            "gpt_oss",
            "granite",
            "llama",
            "mistral",
        ),
        *("mixtral", "olmo2", "phi3", "qwen2", "qwen3", "qwen3_moe", "smollm3", "starcoder2"),
    }
)
"""Architectures whose every layer hands ``attend`` on, and says window, cap and sinks by the names read here."""
NAMES = {"sdpa": "r1_attention", "eager": "r1_eager_attention"}
"""What an opened model's attention is called, by what it was."""


@dataclass(frozen=True)
class Rule:
    """How a layer scores: ``softmax(cap(scaling q k^T))``, with a ``sinks`` logit (heads,) beside the scores of each query.

    Keys ``window`` or more positions before the query are not seen (None: all are). A ``softcap`` of 0 caps nothing.
    """

    scaling: float
    window: int | None = None
    softcap: float = 0.0
    sinks: Tensor | None = None

    @property
    def plain(self) -> bool:
        """Whether torch's own function computes it, once it has the mask."""
        return not self.softcap and self.sinks is None

    def weights(self, scores: Tensor) -> Tensor:
        """Softmax in float32 over the last dimension of scaled and masked ``scores`` (rows, heads, T, S)."""
        if self.sinks is None:
            return scores.softmax(-1, dtype=torch.float32)
        sinks = self.sinks.to(scores.dtype).view(1, -1, 1, 1).expand(*scores.shape[:-1], 1)
        return torch.cat([scores, sinks], dim=-1).softmax(-1, dtype=torch.float32)[..., :-1]

    def capped(self, scores: Tensor) -> Tensor:
        return torch.tanh(scores / self.softcap) * self.softcap if self.softcap else scores

    def sees(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Whether a query at a position sees a key at another: causal, and within the window."""
        seen = keys <= queries
        return seen if self.window is None else seen & (keys > queries - self.window)


Attend = Callable[[torch.nn.Module, Tensor, Tensor, Tensor, Rule], Tensor]


def proven(config: Any) -> bool:
    """Whether models of ``config`` are open to fast paths: a family of :data:`PROVEN` with no layer of another kind."""
    return config.model_type in PROVEN and not set(_layer_types(config)) - {"full_attention", "sliding_attention"}


def open_attention(model: PreTrainedModel) -> bool:
    """Make ``model`` take ``attend``; False, and nothing changed, for an architecture that has not been proven."""
    config = model.config
    if not proven(config):
        return False
    config._attn_implementation = NAMES.get(config._attn_implementation, config._attn_implementation)
    return config._attn_implementation in NAMES.values()


@cache
def unread_mask(device: torch.device) -> Tensor:
    """The mask of a forward pass that brings ``attend``: of four dimensions, so that the model makes none of its own."""
    return torch.zeros(1, 1, 1, 1, device=device)


def windowed(model: PreTrainedModel) -> bool:
    """Whether some layer of ``model`` sees a window alone: then one mask is not every layer's."""
    return "sliding_attention" in _layer_types(model.config) or bool(getattr(model.config, "sliding_window", None))


def caches_what_it_reads(model: PreTrainedModel) -> bool:
    """Whether a layer's cache holds the keys and values that its attention reads. Latent attention (DeepSeek) expands
    them behind the cache, so that nobody can attend to those of a prompt that stands elsewhere."""
    return not getattr(model.config, "kv_lora_rank", None)


def ready_mask(model: PreTrainedModel) -> bool:
    """Whether one boolean mask for all layers is right for ``model``."""
    return not windowed(model) and model.config._attn_implementation == NAMES["sdpa"]


def masks_of(config: Any) -> dict[str, int]:
    """How many layers see what, in words: everything before (full), a window, a chunk, or a memory of another kind."""
    text = config.get_text_config(decoder=True)
    window, chunk = getattr(text, "sliding_window", None), getattr(text, "attention_chunk_size", None)
    words = {
        "full_attention": "full",
        "sliding_attention": f"window of {window}",
        "chunked_attention": f"chunks of {chunk}",
    }
    types = getattr(text, "layer_types", None)
    if not types:
        everywhere = window and getattr(text, "use_sliding_window", True)
        types = ["sliding_attention" if everywhere else "full_attention"] * int(text.num_hidden_layers)
    return dict(Counter(words.get(kind, kind.replace("_", " ")) for kind in types))


def _layer_types(config: Any) -> list[str]:
    return getattr(config, "layer_types", None) or ["full_attention"]


def packed_states(model: PreTrainedModel, ids: Tensor, positions: Tensor, attend: Attend) -> Tensor:
    """Hidden states (T, D) of one packed row of token ids (T,), whose tokens see what ``attend`` lets them see.

    No mask over the row is ever made. ``model`` must have been opened.
    """
    hidden: Tensor = model.base_model(
        input_ids=ids[None],
        position_ids=positions[None],
        attention_mask=unread_mask(ids.device),
        use_cache=False,
        attend=attend,
    ).last_hidden_state
    return hidden[0]


def attention(query: Tensor, key: Tensor, value: Tensor, rule: Rule, mask: Tensor | None) -> Tensor:
    """(rows, heads, T, size) under ``rule``; ``mask`` boolean, broadcast to (rows, 1, T, S); None: causal."""
    groups = query.shape[1] // key.shape[1]
    if rule.plain:
        return scaled_dot_product_attention(
            query, key, value, attn_mask=mask, is_causal=mask is None, scale=rule.scaling, enable_gqa=groups > 1
        )
    key, value = (t.repeat_interleave(groups, dim=1) for t in (key, value))
    if mask is None:
        mask = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool, device=query.device).tril()
    scores = rule.capped(query @ key.transpose(-1, -2) * rule.scaling)
    scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    return rule.weights(scores).to(value.dtype) @ value


def _sdpa(
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
    return attend(module, query, key, value, _rule(kwargs)), None


def _eager(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    attend: Attend | None = None,
    **kwargs: Any,
) -> tuple[Tensor, Tensor | None]:
    if attend is None:
        own: Any = sys.modules[type(module).__module__]
        result: tuple[Tensor, Tensor | None] = own.eager_attention_forward(
            module, query, key, value, attention_mask, **kwargs
        )
        return result
    return attend(module, query, key, value, _rule(kwargs)), None


def _rule(told: dict[str, Any]) -> Rule:
    return Rule(told["scaling"], told.get("sliding_window"), told.get("softcap") or 0.0, told.get("s_aux"))


ALL_ATTENTION_FUNCTIONS.register(NAMES["sdpa"], _sdpa)
ALL_MASK_ATTENTION_FUNCTIONS.register(NAMES["sdpa"], sdpa_mask)
ALL_ATTENTION_FUNCTIONS.register(NAMES["eager"], _eager)
ALL_MASK_ATTENTION_FUNCTIONS.register(NAMES["eager"], eager_mask)
