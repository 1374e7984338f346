"""What a trainer asks of an engine, however many ranks stand behind it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor


@dataclass(frozen=True)
class StepOutcome:
    """What one optimizer step did. ``applied`` is False where a non-finite gradient was thrown away."""

    grad_norm: float
    learning_rate: float
    applied: bool


class Engine(Protocol):
    """Owns model, optimizer and step count. All ranks call the same methods in the same order."""

    steps_taken: int

    def forward(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """``function(model, *arguments, **named)``: every pass of the model under training goes through here."""
        ...

    def backward(self, loss: Tensor) -> None:
        """Add this loss's gradient; the gradient of a step is the sum over calls and ranks."""
        ...

    def step(self) -> StepOutcome:
        """Clip, step, clear."""
        ...

    def full_parameters(self) -> Iterable[tuple[str, Tensor]]:
        """Every parameter in whole, on every rank, as the forward pass sees it."""
        ...

    def master_parameters(self) -> dict[str, Tensor]:
        """The weights that the optimizer steps, for a checkpoint; empty on ranks other than 0."""
        ...

    def optimizer_tensors(self) -> dict[str, Tensor]:
        """The optimizer's state by ``parameter/field``, for a checkpoint; empty on ranks other than 0."""
        ...

    def load_weights(self, tensors: Mapping[str, Tensor]) -> None:
        """Take the weights of a checkpoint, which every rank has read."""
        ...

    def load(self, optimizer_tensors: Mapping[str, Tensor], steps_taken: int) -> None:
        """Continue as after ``steps_taken`` steps."""
        ...
