"""Many ranks as one engine: DeepSpeed's ZeRO 0 to 3 behind the interface of
:class:`r1flow.components.training.engines.single.SingleEngine`.

Scaling. Losses are divided by denominators of the whole batch, so the gradient of a step is the *sum* over micro-batches
and ranks. DeepSpeed averages over both; here its averages are undone: ``backward`` multiplies the loss by the number of
ranks (exact for powers of two) and asks for no division by accumulation steps, and
``managed_gradient_accumulation = false`` lets ``step`` alone mark the end of a step, after any number of backward passes.

Collectives. Under ZeRO 2 and 3 ``backward`` communicates, under ZeRO 3 ``forward`` too: every rank calls them equally
often (:func:`r1flow.components.training.engines.ranks.turns` gives each rank its micro-batches, fillers included).
"""

import logging
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import Module, Parameter
from transformers import PreTrainedModel

from r1flow.components.core.errors import ConfigError, NumericsError
from r1flow.components.training.engines import ranks
from r1flow.components.training.engines.base import StepOutcome

Dtype = Literal["float32", "bfloat16"]
MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class Zero:
    """How DeepSpeed lays a model out over the ranks.

    ``stage``: what is partitioned; 0 nothing, 1 optimizer, 2 and gradients, 3 and weights. ``dtype`` is the dtype of
    forward and backward; with "bfloat16" fp32 master weights and fp32 gradient sums are kept. ``offload`` puts the
    optimizer's part into CPU memory, "all" the weights too (stage 3). ``settings`` are further ``zero_optimization``
    entries by DeepSpeed's names. ``timeout_s`` bounds every collective. Raises :class:`ConfigError` for what does not go
    together.
    """

    stage: Literal[0, 1, 2, 3] = 2
    dtype: Dtype = "float32"
    offload: Literal["none", "optimizer", "all"] = "none"
    gradient_checkpointing: bool = False
    timeout_s: float = 600.0
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.dtype == "bfloat16" and self.stage == 0:
            raise ConfigError(
                "engine.zero_stage: with bfloat16 stage 0 sums gradients in bfloat16, so the result would depend on the "
                "number of micro-batches; stage 1 keeps fp32 sums and is no slower"
            )
        if self.offload != "none" and self.stage == 0:
            raise ConfigError("engine.offload: stage 0 partitions nothing that could be moved; use stage 1, 2 or 3")
        if self.offload == "all" and self.stage != 3:
            raise ConfigError("engine.offload: weights leave the device under stage 3 only; use offload = 'optimizer'")

    def config(self, max_grad_norm: float) -> dict[str, Any]:
        """DeepSpeed's configuration."""
        zero: dict[str, Any] = {"stage": self.stage, "overlap_comm": False}
        if self.offload != "none":
            zero["offload_optimizer"] = {"device": "cpu"}
        if self.offload == "all":
            zero["offload_param"] = {"device": "cpu"}
        return {
            "train_micro_batch_size_per_gpu": 1,
            "gradient_accumulation_steps": 1,
            "managed_gradient_accumulation": False,
            "gradient_clipping": max_grad_norm
            if self.stage
            else 0.0,  # stage 0: the optimizer clips, see _ClippedAdamW
            "zero_optimization": zero | dict(self.settings),
            "zero_force_ds_cpu_optimizer": False,  # torch's fused AdamW runs on the CPU too, and needs no compiler
            "bf16": {"enabled": self.dtype == "bfloat16", "check_grad_overflow": True},
            "data_types": {"grad_accum_dtype": "fp32"},
            "steps_per_print": 10**9,
        }


class DeepSpeedEngine:
    """AdamW over ``model`` on the ranks of :func:`r1flow.components.training.engines.ranks.join`.

    The parameters are SingleEngine's.

    ``model`` lies on this rank's device and holds the same weights on every rank. Under stage 3 its parameters are empty
    outside of ``forward``: use ``full_parameters``.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        rate: Callable[[int], float],
        zero: Zero,
        *,
        betas: tuple[float, float] = (0.9, 0.95),
        weight_decay: float = 0.0,
        max_grad_norm: float = 1.0,
        max_skipped: int = 3,
    ) -> None:
        self.model = model
        self.rate = rate
        self.zero = zero
        self.max_skipped = max_skipped
        self.steps_taken = 0
        self._skipped_in_a_row = 0
        self._checkpointed = _enable_checkpointing(model) if zero.gradient_checkpointing else []
        trained = [p for p in model.parameters() if p.requires_grad]
        rest: dict[str, Any] = {"lr": rate(0), "betas": betas, "weight_decay": weight_decay, "fused": True}
        optimizer = torch.optim.AdamW(trained, **rest) if zero.stage else _ClippedAdamW(trained, max_grad_norm, **rest)
        self._engine = _initialize(_Root(model), optimizer, zero, max_grad_norm)

    def forward(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """``function(model, *arguments, **named)`` as the forward pass; returns its tensor or tuple of tensors.

        ZeRO 3 gathers weights on the way through the modules, and the output head for the length of the call.
        """
        for layer in self._checkpointed:  # transformers recomputes in training mode only, and a policy is in eval mode
            layer.training = torch.is_grad_enabled()
        return self._engine(function, *arguments, **named)

    def backward(self, loss: Tensor) -> None:
        """Add this loss's gradient to what all ranks have gathered since the last step."""
        self._engine.backward(loss * ranks.world_size(), scale_wrt_gas=False)

    def step(self) -> StepOutcome:
        """Clip by the global norm, step, clear, on all ranks alike. A gradient that is not finite on any rank is applied
        on none; too many in a row raise :class:`NumericsError`."""
        rate = self.rate(self.steps_taken)
        for group in self._engine.optimizer.param_groups:
            group["lr"] = rate
        self._engine.step()
        applied = bool(self._engine.was_step_applied())
        norm = float(self._engine.get_global_grad_norm()) if applied else math.inf
        self._skipped_in_a_row = 0 if applied else self._skipped_in_a_row + 1
        self.steps_taken += 1
        if self._skipped_in_a_row > self.max_skipped:
            raise NumericsError(
                f"{self._skipped_in_a_row} gradients in a row were not finite (optimizer step {self.steps_taken}, ZeRO "
                f"{self.zero.stage}). Lower the learning rate, or look for a NaN in the batch that was logged last."
            )
        return StepOutcome(norm, rate, applied)

    def full_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """Every parameter in whole and in the forward's dtype, on every rank: what a sampler loads. All ranks walk it to
        its end; under stage 3 one tensor at a time is gathered."""
        for name, parameter in self.model.named_parameters():
            with _gathered([parameter], self.zero):
                tensor = parameter.detach()
                whole = tensor.clone() if self.zero.stage == 3 else tensor
            yield name, whole

    def master_parameters(self) -> dict[str, Tensor]:
        """The fp32 weights that AdamW steps, in whole, on the CPU of rank 0; nothing on the others. All ranks call it."""
        return self._to_rank_0((name, self._master(p)) for name, p in self.model.named_parameters())

    def optimizer_tensors(self) -> dict[str, Tensor]:
        """AdamW's moments and step counters as :class:`SingleEngine` names them, on rank 0; nothing on the others.

        They are whole tensors, so a checkpoint is independent of stage, number of ranks and engine. All ranks call it.
        """
        return self._to_rank_0(self._optimizer_tensors())

    def load(self, optimizer_tensors: Mapping[str, Tensor], steps_taken: int) -> None:
        """Continue as after ``steps_taken`` steps, from tensors that every rank has read; weights: see ``load_weights``."""
        steps = next((t for name, t in optimizer_tensors.items() if name.endswith("/step")), None)
        if steps is not None:
            self._make_moments(steps)
        for name, parameter in self._trained():
            for key in MOMENTS:
                if (value := optimizer_tensors.get(f"{name}/{key}")) is not None:
                    self._set(parameter, value, key)
        self.steps_taken = steps_taken

    @torch.no_grad()
    def load_weights(self, tensors: Mapping[str, Tensor]) -> None:
        """Take these weights, masters and forward copies, from tensors that every rank has read."""
        for name, parameter in self.model.named_parameters():
            with _gathered([parameter], self.zero, modifier_rank=0):
                if parameter.numel():  # under stage 3 the whole tensor, which rank 0 sends round
                    parameter.copy_(tensors[name])
            if self.zero.stage and parameter.requires_grad:
                self._set(parameter, tensors[name])

    def _master(self, parameter: Parameter) -> Tensor:
        if self.zero.stage == 0 or not parameter.requires_grad:
            with _gathered([parameter], self.zero):
                return parameter.detach().float().cpu().clone()
        from deepspeed.utils import safe_get_full_fp32_param

        return safe_get_full_fp32_param(parameter)

    def _optimizer_tensors(self) -> Iterator[tuple[str, Tensor]]:
        from deepspeed.utils import safe_get_full_optimizer_state

        state = self._engine.basic_optimizer.state
        counters = [s["step"] for s in state.values() if "step" in s]
        for name, parameter in self._trained() if counters else ():
            yield f"{name}/step", torch.as_tensor(counters[0])
            for key in MOMENTS:
                whole = safe_get_full_optimizer_state(parameter, key) if self.zero.stage else state[parameter][key]
                yield f"{name}/{key}", whole

    def _make_moments(self, steps: Tensor) -> None:
        """AdamW makes its state in its first step; make it now, to be filled."""
        optimizer = self._engine.optimizer
        for part in self._partitions():
            zeros = {key: torch.zeros_like(part) for key in MOMENTS}
            self._engine.basic_optimizer.state[part] = {
                "step": steps.to(part.device, torch.float32, copy=True),
                **zeros,
            }
        if self.zero.stage and self.zero.stage < 3:
            optimizer._lazy_init_hp_params_optimizer_state()

    def _partitions(self) -> list[Tensor]:
        """The tensors that AdamW steps on this rank."""
        if self.zero.stage == 0:
            return [p for _, p in self._trained()]
        names = ("single_partition_of_fp32_groups", "fp32_partitioned_groups_flat", "fp32_groups_flat_partition")
        return next(
            list(getattr(self._engine.optimizer, name)) for name in names if hasattr(self._engine.optimizer, name)
        )

    def _set(self, parameter: Parameter, value: Tensor, key: str | None = None) -> None:
        """Write this rank's part of a whole master weight (no ``key``) or moment."""
        from deepspeed.utils import safe_set_full_fp32_param, safe_set_full_optimizer_state

        value = value.to(parameter.device, torch.float32)
        if self.zero.stage == 0:
            self._engine.basic_optimizer.state[parameter][key].copy_(value)
        elif key is None:
            safe_set_full_fp32_param(parameter, value)
        else:
            safe_set_full_optimizer_state(parameter, value, key)

    def _trained(self) -> Iterator[tuple[str, Parameter]]:
        return ((name, p) for name, p in self.model.named_parameters() if p.requires_grad)

    @staticmethod
    def _to_rank_0(tensors: Iterator[tuple[str, Tensor]]) -> dict[str, Tensor]:
        first = ranks.rank() == 0
        return {name: t.detach().cpu().contiguous().clone() for name, t in tensors if first}


class _Root(Module):
    """What DeepSpeed sees as the model: whatever runs inside its forward may use the model in any way."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        return function(self.model, *arguments, **named)


class _ClippedAdamW(torch.optim.AdamW):
    """AdamW that clips by itself and skips what is not finite: without ZeRO, DeepSpeed in fp32 checks for neither."""

    def __init__(self, parameters: list[Parameter], max_grad_norm: float, **rest: Any) -> None:
        super().__init__(parameters, **rest)
        self._max_grad_norm = max_grad_norm
        self.overflow = False  # these two names are DeepSpeed's: its engine reads them after a step
        self._global_grad_norm = 0.0

    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # DeepSpeed gives no closure
        parameters = [p for group in self.param_groups for p in group["params"]]
        self._global_grad_norm = float(torch.nn.utils.clip_grad_norm_(parameters, self._max_grad_norm))
        self.overflow = not math.isfinite(self._global_grad_norm)
        if not self.overflow:
            super().step(closure)


def _initialize(root: _Root, optimizer: torch.optim.Optimizer, zero: Zero, max_grad_norm: float) -> Any:
    """DeepSpeed's engine, in the process group of ``ranks.join``."""
    import deepspeed
    from deepspeed.utils import logger

    logger.setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", r".*(_into_tensor|_tensor)` is deprecated", FutureWarning)  # DeepSpeed calls them
    # Its shared-memory all-reduce is compiled at the first start (a minute and a half) and waits without a time-out.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    deepspeed.init_distributed(dist_backend=torch.distributed.get_backend(), verbose=False)
    config = zero.config(max_grad_norm)
    engine, *_ = deepspeed.initialize(model=root, optimizer=optimizer, config=config, dist_init_required=False)
    if zero.stage == 3 and (head := root.model.get_output_embeddings()) is not None:
        for parameter in head.parameters(recurse=False):
            deepspeed.zero.register_external_parameter(root, parameter)
    ranks.bound_groups(zero.timeout_s)
    return engine


def _gathered(parameters: list[Parameter], zero: Zero, modifier_rank: int | None = None) -> Any:
    """Parameters in whole for the length of a with-block, under stage 3."""
    import deepspeed

    return deepspeed.zero.GatheredParameters(parameters, modifier_rank=modifier_rank, enabled=zero.stage == 3)


def _enable_checkpointing(model: PreTrainedModel) -> list[Module]:
    """Recompute activations layer by layer in the backward pass; the layers that do."""
    from transformers.modeling_layers import GradientCheckpointingLayer

    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]
