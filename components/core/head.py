"""The head of a model: what its own forward does to hidden states behind the output embedding.

Architectures add a bias, scale (Cohere's ``logit_scale``, Granite's ``logits_scaling``), or cap softly (Gemma 2's
``final_logit_softcapping``). Nobody's list of names is trusted: the form is measured on random states against the model's
own forward, once, and what no form explains is refused. Ids that the tokenizer does not have are in no distribution.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from r1flow.components.core.errors import ModelError
from r1flow.components.core.logits import FORM, Form, form_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_STATES = 8
_SMALL, _LARGE = 1e-2, 1e6
"""Sizes of states: where a soft cap is a straight line, and where it is all there is."""
_EXACT, _ROUNDED = 1e-4, 3e-2
"""How far a form may be from what was measured, as a share of the largest logit: in float32, and in less."""


def keep_to(model: "PreTrainedModel", known: Sequence[int]) -> None:
    """From now on the distribution of ``model`` is over the ``known`` ids of its tokenizer alone, ascending."""
    rows = len(_embedding(model)[0])
    top = min(known[-1] + 1, rows)
    form = replace(
        form_of(model), vocabulary=0 if top == rows else top, unknown=tuple(sorted(set(range(top)) - set(known)))
    )
    setattr(model, FORM, form)


@torch.no_grad()
def measured(model: "PreTrainedModel") -> Form:
    """What ``model``'s own forward makes of random states, as a :class:`Form`."""
    weight, bias = _embedding(model)
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(1, _STATES, weight.shape[1], generator=generator).to(weight.device)
    tolerance = _EXACT if weight.dtype == torch.float32 else _ROUNDED

    def both(size: float) -> tuple[Tensor, Tensor]:
        hidden = (states * size).to(weight.dtype)
        plain = hidden @ weight.T
        return (plain if bias is None else plain + bias).float(), _own_logits(model, hidden).float()

    linear, own = both(_SMALL)
    if own.shape != linear.shape:
        raise _refused(
            model, f"{tuple(own.shape[2:])} logits a token from an output embedding of {tuple(weight.shape)}"
        )
    told = [1.0, *_numbers(model)]
    scale = _snapped(float((linear * own).sum() / linear.square().sum()), told, tolerance)
    linear, own = both(_LARGE)
    cap = 0.0
    if float(own.abs().max()) < 0.5 * abs(scale) * float(linear.abs().max()):
        cap = _snapped(float(own.abs().max()), told, tolerance)
    form = Form(scale, cap)
    for size in (_SMALL, 1.0, 30.0):
        linear, own = both(size)
        apart = float((form.bent(linear) - own).abs().max())
        if not apart <= tolerance * max(float(own.abs().max()), torch.finfo(torch.float32).tiny):
            raise _refused(model, f"logits that are up to {apart:.3g} from every form that r1flow knows")
    return form


def name_body(model: "PreTrainedModel") -> None:
    """Have ``model.base_model`` be its body. Some classes call it otherwise than it is (Llama 4), and answer with themselves."""
    table = model.get_input_embeddings()
    if model.base_model is not model or table is None:
        return
    for name, part in model.named_children():
        if part is not table and any(module is table for module in part.modules()):
            model.base_model_prefix = name


def _embedding(model: "PreTrainedModel") -> tuple[Tensor, Tensor | None]:
    head: Any = model.get_output_embeddings()
    if head is None or model.base_model is model:
        raise _refused(model, "no output embedding")
    return head.weight, getattr(head, "bias", None)


def _own_logits(model: "PreTrainedModel", hidden: Tensor) -> Tensor:
    """What the causal model's forward makes of these hidden states (1, N, D)."""
    ids = torch.zeros(hidden.shape[:2], dtype=torch.long, device=hidden.device)
    base: Any = model.base_model
    base.forward = lambda *args, **kwargs: _Answer(hidden)
    try:
        logits: Tensor = model(input_ids=ids, use_cache=False).logits
    finally:
        del base.forward
    return logits


class _Answer:
    """What a base model answers, whatever its family calls the rest of it, which is not there."""

    def __init__(self, hidden: Tensor) -> None:
        self.last_hidden_state = hidden

    def __getattr__(self, name: str) -> None:
        return None

    def __getitem__(self, index: int) -> Tensor:
        return self.last_hidden_state


def _numbers(model: "PreTrainedModel") -> list[float]:
    """What the configuration may scale or cap by: its numbers and their reciprocals."""
    values = [v for v in model.config.to_dict().values() if isinstance(v, int | float) and not isinstance(v, bool)]
    return [float(v) for v in values if v] + [1 / v for v in values if v]


def _snapped(value: float, told: list[float], tolerance: float) -> float:
    """The number told that ``value`` is a measurement of, else ``value``."""
    near = [number for number in told if abs(number - value) <= 10 * tolerance * abs(value)]
    return min(near, key=lambda number: abs(number - value)) if near else value


def _refused(model: "PreTrainedModel", why: str) -> ModelError:
    return ModelError(
        f"models of type {model.config.model_type!r} ({type(model).__name__}) cannot be trained or sampled: this one has {why}"
    )
