"""One process, one device, plain torch: AdamW with gradient clipping.

The engine owns model, optimizer and step count. Trainers call ``backward`` any number of times, then ``step`` once;
because losses are divided by batch-wide denominators, the number of ``backward`` calls does not change the gradient.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module

from r1flow.components.core.errors import NumericsError
from r1flow.components.training.engines.base import StepOutcome
from r1flow.components.training.engines.masters import masters, publish


class SingleEngine:
    """AdamW over ``model``; ``rate(step)`` gives the learning rate (see :mod:`r1flow.components.core.schedule`).

    A bfloat16 model is stepped through float32 masters (:mod:`r1flow.components.training.engines.masters`), in CPU memory
    with ``offload``.
    """

    def __init__(
        self,
        model: Module,
        rate: Callable[[int], float],
        *,
        betas: tuple[float, float] = (0.9, 0.95),
        weight_decay: float = 0.0,
        max_grad_norm: float = 1.0,
        max_skipped: int = 3,
        offload: bool = False,
    ) -> None:
        self.model = model
        self.rate = rate
        self.max_grad_norm = max_grad_norm
        self.max_skipped = max_skipped
        self.steps_taken = 0
        self._skipped_in_a_row = 0
        self._parameters = [p for p in model.parameters() if p.requires_grad]
        self._stepped = masters(self._parameters, offload=offload)
        self._optimizer = torch.optim.AdamW(
            self._stepped, lr=rate(0), betas=betas, weight_decay=weight_decay, fused=True
        )

    def forward(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """``function(model, *arguments, **named)``."""
        return function(self.model, *arguments, **named)

    def backward(self, loss: Tensor) -> None:
        """Add this loss's gradient to what has been gathered since the last step."""
        loss.backward()

    def step(self) -> StepOutcome:
        """Clip, step, clear. A non-finite gradient is not applied; too many in a row raise :class:`NumericsError`."""
        norm = float(torch.nn.utils.clip_grad_norm_(self._stepped, self.max_grad_norm))
        rate = self.rate(self.steps_taken)
        finite = math.isfinite(norm)
        if finite:
            for group in self._optimizer.param_groups:
                group["lr"] = rate
            self._optimizer.step()
            publish(self._stepped, self._parameters)
        self._skipped_in_a_row = 0 if finite else self._skipped_in_a_row + 1
        self._optimizer.zero_grad(set_to_none=True)
        self.steps_taken += 1
        if self._skipped_in_a_row > self.max_skipped:
            raise NumericsError(
                f"{self._skipped_in_a_row} gradients in a row were not finite (last norm {norm}, optimizer step "
                f"{self.steps_taken}). Lower the learning rate, or look for a NaN in the batch that was logged last."
            )
        return StepOutcome(norm, rate, finite)

    def optimizer_tensors(self) -> dict[str, Tensor]:
        """AdamW's moments and step counters under the parameters' names, ready for safetensors."""
        return {
            f"{name}/{key}": torch.as_tensor(value)
            for name, master in self._masters().items()
            for key, value in self._optimizer.state.get(master, {}).items()
        }

    def full_parameters(self) -> Iterable[tuple[str, Tensor]]:
        """The model's own parameters."""
        return self.model.named_parameters()

    def master_parameters(self) -> dict[str, Tensor]:
        """The weights that AdamW steps, and those that nothing trains, ready for safetensors."""
        stepped = self._masters()
        return {name: stepped.get(name, p).detach().contiguous() for name, p in self.model.named_parameters()}

    @torch.no_grad()
    def load_weights(self, tensors: Mapping[str, Tensor]) -> None:
        """Copy a checkpoint's weights into the model and its masters."""
        stepped = self._masters()
        for name, parameter in self.model.named_parameters():
            stepped.get(name, parameter).copy_(tensors[name])
        publish(self._stepped, self._parameters)

    def load(self, optimizer_tensors: Mapping[str, Tensor], steps_taken: int) -> None:
        """Continue as after ``steps_taken`` steps; the model's weights are loaded by the caller."""
        stepped = self._masters()
        for key, value in optimizer_tensors.items():
            name, field = key.rsplit("/", 1)
            self._optimizer.state[stepped[name]][field] = value.to(stepped[name].device)  # fused: the counter too
        self.steps_taken = steps_taken

    def _masters(self) -> dict[str, Tensor]:
        """What is stepped under the trained parameters' names."""
        trained = (name for name, p in self.model.named_parameters() if p.requires_grad)
        return dict(zip(trained, self._stepped, strict=True))
