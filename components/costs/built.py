"""A decoder's numbers from the model itself, built without memory for its weights: for every family that transformers has."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor
from torch.nn import Embedding, Module, ModuleList
from transformers import PreTrainedModel

from r1flow.components.core.positions import known_positions
from r1flow.components.costs.decoder import Decoder
from r1flow.components.training.rl.value_model import ValueModel

EXPERTS = "experts"
"""What transformers calls routed experts, whatever the family: one module of stacked weights, or a list of modules."""
CHOSEN = ("num_experts_per_tok", "num_experts_per_token", "top_k_experts", "moe_topk", "moe_top_k")
"""Names of the number of experts that a token is sent to."""


def decoder_in(model: PreTrainedModel) -> Decoder:
    """The numbers of ``model``, which may lie on the meta device; its body is taken over.

    Parameters are counted from its modules, a tied one once; widths follow from the config. What the config does not name is
    filled in, and said in ``notes``: heads (attention as wide as the model), the number of experts that a token is sent to (all).
    """
    config = model.config.get_text_config(decoder=True)
    notes: list[str] = []
    parameters = sum(p.numel() for p in model.parameters())
    used = whole = attention = 0.0
    chosen = next((n for name in CHOSEN if isinstance(n := getattr(config, name, None), int)), None)
    for name, weight, share in _matrices(model, chosen, notes):
        used += share * weight.numel()
        whole += weight.numel()
        attention += weight.numel() if "attn" in name or "attention" in name else 0
    hidden, layers = int(config.hidden_size), int(config.num_hidden_layers)
    queries, keys, cached = _widths(config, hidden, notes)
    return Decoder(
        parameters=parameters,
        value=sum(p.numel() for p in ValueModel(model).parameters()),
        body=round(used),
        vocabulary=int(config.vocab_size),
        hidden=hidden,
        intermediate=round((used - attention) / (3 * hidden * layers)),
        layers=layers,
        queries=queries,
        keys=keys,
        cached=cached,
        head_norms=any(name.endswith(("q_norm.weight", "k_norm.weight")) for name, _ in model.named_parameters()),
        idle=round(whole - used),
        positions=known_positions(config),
        notes=tuple(dict.fromkeys(notes)),
    )


def _matrices(model: PreTrainedModel, chosen: int | None, notes: list[str]) -> Iterator[tuple[str, Tensor, float]]:
    """The weights of the body that multiply tokens, by name, each with the share of it that a token meets."""
    head = model.get_output_embeddings()
    experts = {n: m for n, m in model.named_modules() if n.rpartition(".")[2] == EXPERTS}
    for owner, module in model.named_modules():
        if isinstance(module, Embedding) or module is head:
            continue
        for own, weight in module.named_parameters(recurse=False):
            if weight.dim() < 2 or own.endswith("bias"):
                continue
            of = next((m for n, m in experts.items() if owner == n or owner.startswith(f"{n}.")), None)
            yield f"{owner}.{own}", weight, 1.0 if of is None else _share(of, weight, chosen, notes)


def _share(experts: Module, weight: Tensor, chosen: int | None, notes: list[str]) -> float:
    number = len(experts) if isinstance(experts, ModuleList) else weight.shape[0]
    if chosen is None:
        notes.append("the config does not say how many experts a token is sent to: all are counted as used")
        return 1.0
    return min(1.0, chosen / max(1, number))


def _widths(config: Any, hidden: int, notes: list[str]) -> tuple[int, int, int]:
    """(queries, keys, numbers cached per token and layer).

    Latent attention keeps whole keys and values in transformers; vLLM keeps the latent vector alone, so that it is an upper
    bound.
    """
    heads = getattr(config, "num_attention_heads", None)
    if not isinstance(heads, int) or heads < 1:
        notes.append("the config names no attention heads: attention is counted as wide as the model")
        return hidden, hidden, 2 * hidden
    if getattr(config, "kv_lora_rank", None) and getattr(config, "qk_rope_head_dim", None):
        size = int(config.qk_nope_head_dim) + int(config.qk_rope_head_dim)
        return heads * size, heads * size, heads * (size + int(config.v_head_dim))
    size = getattr(config, "head_dim", None) or hidden // heads
    one = getattr(config, "multi_query", False) and not getattr(config, "new_decoder_architecture", False)
    several = getattr(config, "num_key_value_heads", None) or getattr(config, "num_kv_heads", None)
    kept = 1 if one else several if isinstance(several, int) else heads
    return heads * size, kept * size, 2 * kept * size
