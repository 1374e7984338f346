"""The gradient proof: what reaches the optimizer is the batch's gradient, however the batch was cut, packed and dealt out.

``||g' - g|| / ||g|| <= 1e-5`` over all parameters. g is computed in float64, in one process, one completion at a time by
the model's own logits; g' is what AdamW is given after :func:`r1flow.components.training.rl.update.update_policy` in float32.
With ``beta_1 = 0`` AdamW's first moment *is* that gradient, so it is read from the optimizer's state: the same way for every
engine and ZeRO stage, behind all scaling and communication. A learning rate of 0 leaves the weights alone.
"""

import copy
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MethodType
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from r1flow.components.core.batching import micro_batches
from r1flow.components.recipe.engine import EngineConfig
from r1flow.components.training.checks.batch import batch_for, draw_rollouts, exact_logprobs
from r1flow.components.training.engines import ranks
from r1flow.components.training.engines.base import Engine, StepOutcome
from r1flow.components.training.engines.open import open_engine
from r1flow.components.training.rl.loss import Loss, policy_loss
from r1flow.components.training.rl.update import Trained, flat_tokens, update_policy, weights

BETAS = (0.0, 0.95)
NO_CLIPPING = 1e9
MOMENT = "exp_avg"

Gradient = dict[str, Tensor]


@dataclass(frozen=True)
class Objective:
    """A loss with what else its gradient depends on."""

    loss: Loss
    temperature: float = 1.0
    on_policy: bool = False


def open_bench_engine(config: EngineConfig, model: PreTrainedModel) -> Engine:
    """The engine of ``config`` over ``model``, made to be looked at."""
    return open_engine(config, model, lambda step: 0.0, max_grad_norm=NO_CLIPPING, betas=BETAS)


class Packing:
    """An engine whose forward passes are all packed, or all padded, whatever the rule would take."""

    def __init__(self, engine: Engine, packed: bool) -> None:
        self._engine = engine
        self._packed = packed

    def forward(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        return self._engine.forward(function, *arguments, **named, packed=self._packed)

    def backward(self, loss: Tensor) -> None:
        self._engine.backward(loss)

    def step(self) -> StepOutcome:
        return self._engine.step()


class Bench:
    """The exact gradients of one model's batch, and the distance of others from them.

    Made on every rank alike, before an engine takes the model over; ``exact`` is computed where it is asked for.
    """

    def __init__(self, model: PreTrainedModel, objectives: Mapping[str, Objective], *, seed: int = 0) -> None:
        self._objectives = objectives
        self._exact_model = exact_model(model)
        rollouts = draw_rollouts(model, seed)
        self.batches = {
            name: batch_for(
                o.loss, self._exact_model, rollouts, temperature=o.temperature, on_policy=o.on_policy, seed=seed
            )
            for name, o in objectives.items()
        }
        self._exact: dict[str, Gradient] = {}

    def exact(self, name: str) -> Gradient:
        """g of this objective."""
        if name not in self._exact:
            objective = self._objectives[name]
            self._exact[name] = exact_gradient(self._exact_model, self.batches[name], objective)
        return self._exact[name]

    def budget(self, micro: int) -> int:
        """The padded tokens of a micro-batch that holds ``micro`` completions on average."""
        return budget([t.length for t in next(iter(self.batches.values()))], micro)

    def error(self, engine: Engine, name: str, *, micro_tokens: int, packed: bool) -> float:
        """||g' - g|| / ||g|| through ``engine``, on rank 0; all ranks call it, the others get 0."""
        found = self.found(engine, name, micro_tokens=micro_tokens, packed=packed)
        return relative_error(found, self.exact(name)) if ranks.rank() == 0 else 0.0

    def found(self, engine: Engine, name: str, *, micro_tokens: int, packed: bool) -> Gradient:
        """g' through ``engine``, whole on rank 0 and empty elsewhere; infinite where the engine threw the step away."""
        objective, batch = self._objectives[name], self.batches[name]
        metrics = update_policy(
            Packing(engine, packed),  # type: ignore[arg-type]  # as much of an engine as an update needs
            batch,
            loss=objective.loss,
            pad_id=0,
            temperature=objective.temperature,
            micro_tokens=micro_tokens,
        )
        moments = {n.rpartition("/")[0]: t for n, t in engine.optimizer_tensors().items() if n.endswith(f"/{MOMENT}")}
        return {n: torch.full_like(t, math.inf) for n, t in moments.items()} if metrics["skipped"] else moments


def exact_gradient(model: PreTrainedModel, batch: Sequence[Trained], objective: Objective) -> Gradient:
    """g: the sum over completions of the gradient of each one's part of the loss; ``model`` is :func:`exact_model`'s."""
    model.zero_grad(set_to_none=True)
    tokens = sum(len(t.rollout.ids) for t in batch)
    for trained in batch:
        logp, entropy = exact_logprobs(model, trained.rollout, objective.temperature)
        flat = flat_tokens([trained], logp, entropy)
        weight = weights(flat.lengths, objective.loss, completions=len(batch), tokens=tokens)
        policy_loss(flat, weight, objective.loss).loss.backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def exact_model(model: PreTrainedModel) -> PreTrainedModel:
    """A float64 copy, with its norms in float64 too: transformers computes those in float32 whatever the model's type.

    Experts one after the other: torch's grouped product knows no float64.
    """
    exact = copy.deepcopy(model).double().eval()
    exact.config._experts_implementation = "eager"
    for module in exact.modules():
        if type(module).__name__.endswith("RMSNorm") and _is_rms_norm(module):
            module.forward = MethodType(_rms_norm, module)
    return exact


def _is_rms_norm(module: Any) -> bool:
    """Whether the module computes what :func:`_rms_norm` does, in its own precision; some families scale by 1 + weight."""
    if not hasattr(module, "variance_epsilon") or not hasattr(module, "weight"):
        return False
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(4, len(module.weight), generator=generator, dtype=torch.float64).to(module.weight.device)
    return torch.allclose(module(hidden), _rms_norm(module, hidden), rtol=1e-4, atol=1e-4)


def _rms_norm(module: Any, hidden: Tensor) -> Tensor:
    scale = torch.rsqrt(hidden.square().mean(-1, keepdim=True) + module.variance_epsilon)
    normed: Tensor = module.weight * (hidden * scale)
    return normed


def relative_error(found: Mapping[str, Tensor], exact: Mapping[str, Tensor]) -> float:
    """``||g' - g|| / ||g||``; infinite where a parameter's gradient is missing or not finite."""
    if set(found) != set(exact):
        return math.inf
    apart = _norm(found[name].to(g) - g for name, g in exact.items())
    error = apart / _norm(exact.values())
    return error if math.isfinite(error) else math.inf


def _norm(tensors: Iterable[Tensor]) -> float:
    return math.sqrt(sum(float(t.square().sum()) for t in tensors))


def budget(lengths: Sequence[int], micro: int) -> int:
    """The fewest padded tokens per micro-batch with which ``micro`` completions are in one on average.

    >>> budget([5, 9, 7, 5], 2)
    18
    """
    low, high = 1, len(lengths) * max(lengths)
    while low < high:
        middle = (low + high) // 2
        if len(micro_batches(lengths, middle)) <= len(lengths) / micro:
            high = middle
        else:
            low = middle + 1
    return low
