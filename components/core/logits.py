"""From hidden states to logits, log-probabilities and entropy, at completion positions only, in chunks.

A [tokens x vocabulary] tensor is what runs a card out of memory (310 MB for 2 x 256 tokens of a 0.6B model): here it
exists for one chunk at a time, in the forward pass and again in the backward pass, which knows its derivative in closed
form and adds to one gradient of the head in place.

Architectures do more than multiply by the output embedding: a :class:`Form` says what, :mod:`r1flow.components.core.head`
measures it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_NEVER = -1e30
"""The logit of what is never drawn: a number, for 0 times infinity is none, whatever it is divided by."""
FORM = "r1_head_form"
"""The attribute in which a model keeps its own."""
WHOLE_BYTES = 64 << 20
"""Up to so many bytes of logits are computed in one piece by plain autograd, without recomputation."""
CHUNK_BYTES = 256 << 20
"""Beyond that, logits that exist at once (twice): every chunk reads the whole head, so few rows would cost time."""


@dataclass(frozen=True)
class Form:
    """``z = cap tanh(scale y / cap)`` of ``y = hidden @ weight.T + bias``; a cap of 0 is none.

    Of the distribution are the ids below ``vocabulary`` (0: all), but for the ``unknown`` ones.
    """

    scale: float = 1.0
    softcap: float = 0.0
    vocabulary: int = 0
    unknown: tuple[int, ...] = ()

    @property
    def bends(self) -> bool:
        """Whether ``z`` is another than ``y``."""
        return self.scale != 1 or bool(self.softcap or self.unknown)

    def bent(self, logits: Tensor) -> Tensor:
        """``z`` of ``y`` over the ids below ``vocabulary``."""
        if self.scale != 1:
            logits = logits * self.scale
        if self.softcap:
            logits = torch.tanh(logits / self.softcap) * self.softcap
        return self._known(logits)

    def kept(self, logits: Tensor) -> Tensor:
        """A model's own ``logits`` (..., V) as those of the distribution."""
        return self._known(logits[..., : self.vocabulary] if self.vocabulary else logits)

    def _known(self, logits: Tensor) -> Tensor:
        return logits.index_fill(-1, self._places(logits), _NEVER) if self.unknown else logits

    def slope(self, logits: Tensor) -> Tensor | float:
        """``dz / dy`` where ``z`` is ``logits``; 0 for what is not of the distribution."""
        if not self.softcap and not self.unknown:
            return self.scale
        if self.softcap:
            slope = (logits / self.softcap).square_().neg_().add_(1).mul_(self.scale)
        else:
            slope = torch.full_like(logits, self.scale)
        return slope.index_fill_(-1, self._places(logits), 0) if self.unknown else slope

    def _places(self, logits: Tensor) -> Tensor:
        return torch.tensor(self.unknown, device=logits.device)


PLAIN = Form()


@dataclass(frozen=True)
class Head:
    """The output embedding ``weight`` (V, D) with its ``bias`` (V,) or none, of the ids that can be drawn, and the form."""

    weight: Tensor
    bias: Tensor | None = None
    form: Form = PLAIN

    def logits(self, hidden: Tensor) -> Tensor:
        """(N, V) of ``hidden`` (N, D), in the states' dtype where the head is plain, at least float32 elsewhere."""
        logits = hidden @ self.weight.T
        if self.bias is not None:
            logits = logits + self.bias
        if not self.form.bends:
            return logits
        return self.form.bent(logits.to(torch.promote_types(hidden.dtype, torch.float32)))


def head_of(model: "PreTrainedModel") -> Head:
    """The head of ``model`` as it is now: weights are read anew, the form was measured once.

    Raises :class:`ModelError` for an architecture whose logits are no :class:`Form` of its output embedding.
    """
    form = form_of(model)
    head: Any = model.get_output_embeddings()
    bias: Tensor | None = getattr(head, "bias", None)
    if not form.vocabulary:
        return Head(head.weight, bias, form)
    return Head(head.weight[: form.vocabulary], None if bias is None else bias[: form.vocabulary], form)


def form_of(model: "PreTrainedModel") -> Form:
    """The form of ``model``'s head, measured at the first call."""
    if not hasattr(model, FORM):
        from r1flow.components.core.head import measured

        setattr(model, FORM, measured(model))
    form: Form = getattr(model, FORM)
    return form


def token_logprobs(
    hidden: Tensor, head: Head, targets: Tensor, *, temperature: float = 1.0, chunk_tokens: int | None = None
) -> tuple[Tensor, Tensor]:
    """Log-probability of each target and the entropy of the distribution it was drawn from, in nats.

    ``log p(v) = z_v - logsumexp(z)``, ``H = logsumexp(z) - sum_v softmax(z)_v z_v`` with ``z = head.logits(hidden) / T``.

    Shapes: ``hidden`` (N, D), ``head`` of V ids, ``targets`` (N,); returns two tensors (N,), in float32 (float64 where the
    hidden states are). The entropy carries a gradient, so that it can be a bonus. ``chunk_tokens`` bounds the rows of z
    that exist at once; the default follows :data:`WHOLE_BYTES` and :data:`CHUNK_BYTES`. Derivatives of second order are refused.
    """
    exact = torch.promote_types(hidden.dtype, torch.float32)
    row_bytes = head.weight.shape[0] * exact.itemsize
    if len(hidden) <= (chunk_tokens or WHOLE_BYTES // row_bytes):
        return _whole(hidden, head, targets, temperature, exact)
    rows = chunk_tokens or max(1, CHUNK_BYTES // row_bytes)
    logp, entropy = _Chunked.apply(hidden, head.weight, head.bias, targets, head.form, temperature, rows)
    return logp, entropy


def _whole(
    hidden: Tensor, head: Head, targets: Tensor, temperature: float, exact: torch.dtype
) -> tuple[Tensor, Tensor]:
    logits = head.logits(hidden).to(exact) / temperature
    log_z = logits.logsumexp(-1)
    logp = logits.gather(-1, targets[:, None]).squeeze(-1) - log_z
    entropy = log_z - (logits.softmax(-1) * logits).sum(-1)
    return logp, entropy


class _Chunked(torch.autograd.Function):
    """The same, ``rows`` rows at a time; nothing of size V is kept for the backward pass.

    ``d logp / dz_v = [v = target] - p_v`` and ``dH / dz_v = -p_v (log p_v + H)``; behind that the form's own slope.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        form: Form,
        temperature: float,
        rows: int,
    ) -> tuple[Tensor, Tensor]:
        exact = torch.promote_types(hidden.dtype, torch.float32)
        log_z, logp, entropy = (torch.empty(len(hidden), dtype=exact, device=hidden.device) for _ in range(3))
        for start in range(0, len(hidden), rows):
            part = slice(start, start + rows)
            logits = _logits(hidden[part], weight, bias, form, temperature)
            top = logits.amax(-1)
            chosen = logits.gather(-1, targets[part, None]).squeeze(-1) - top
            weights = logits.sub_(top[:, None]).exp()
            total = weights.sum(-1)
            log_total = total.log()
            torch.sub(chosen, log_total, out=logp[part])
            torch.sub(log_total, weights.mul_(logits).sum(-1) / total, out=entropy[part])
            torch.add(top, log_total, out=log_z[part])
        ctx.save_for_backward(hidden, weight, bias, targets, log_z, entropy)
        ctx.form, ctx.temperature, ctx.rows = form, temperature, rows
        ctx.set_materialize_grads(False)  # an entropy that nobody uses costs nothing
        return logp, entropy

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, d_logp: Tensor | None, d_entropy: Tensor | None) -> tuple[Tensor | None, ...]:
        hidden, weight, bias, targets, log_z, entropy = ctx.saved_tensors
        form: Form = ctx.form
        d_logp = torch.zeros_like(log_z) if d_logp is None else d_logp / ctx.temperature
        d_hidden = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        # Summed in float32 at least: a sum over chunks in bfloat16 would lose the later ones.
        d_weight = torch.zeros_like(weight, dtype=log_z.dtype) if ctx.needs_input_grad[1] else None
        d_bias = torch.zeros_like(bias, dtype=log_z.dtype) if ctx.needs_input_grad[2] else None
        for start in range(0, len(hidden), ctx.rows):
            part = slice(start, start + ctx.rows)
            log_p = _logits(hidden[part], weight, bias, form, ctx.temperature)
            slope = form.slope(log_p * ctx.temperature) if form.bends else None
            log_p = log_p.sub_(log_z[part, None])
            if d_entropy is None:
                d_logits = log_p.exp_().mul_(-d_logp[part, None])
            else:
                p = log_p.exp()
                steep = -d_entropy[part, None] / ctx.temperature
                d_logits = log_p.add_(entropy[part, None]).mul_(steep).sub_(d_logp[part, None]).mul_(p)
            d_logits = d_logits.scatter_add_(1, targets[part, None], d_logp[part, None])
            if slope is not None:
                d_logits = d_logits.mul_(slope)
            if d_bias is not None:
                d_bias += d_logits.sum(0)
            d_logits = d_logits.to(hidden.dtype)
            if d_hidden is not None:
                torch.mm(d_logits, weight, out=d_hidden[part])
            if d_weight is not None and weight.dtype == d_weight.dtype:
                d_weight.addmm_(d_logits.T, hidden[part])
            elif d_weight is not None:
                d_weight += d_logits.T @ hidden[part]
        d_weight = None if d_weight is None else d_weight.to(weight.dtype)
        return d_hidden, d_weight, None if d_bias is None else d_bias.to(bias.dtype), None, None, None, None


def _logits(hidden: Tensor, weight: Tensor, bias: Tensor | None, form: Form, temperature: float) -> Tensor:
    """Fresh memory, to be written over."""
    logits = (hidden @ weight.T).to(torch.promote_types(hidden.dtype, torch.float32))
    logits = logits if bias is None else logits.add_(bias)
    logits = form.bent(logits)
    return logits if temperature == 1 else logits.div_(temperature)
