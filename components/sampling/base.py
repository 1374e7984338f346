"""The Sampler protocol: prompts in, completions with token ids and log-probabilities out."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True)
class Request:
    """One completion to draw: the prompt's token ids and the seed of this sample alone."""

    prompt_ids: tuple[int, ...]
    seed: int


@dataclass(frozen=True)
class Sampling:
    """How to draw: temperature, nucleus (``top_p`` 1 = off) and the most tokens a completion may have."""

    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0


@dataclass(frozen=True)
class Completion:
    """Token ids with the end-of-sequence token where there is one, and log p of each at the sampling temperature.

    ``finished`` is False where ``max_tokens`` cut the completion short.
    """

    ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    finished: bool


Finished = Callable[[int, tuple[int, ...]], None]
"""Told the index of a request and its completion's token ids as soon as these have ended, while others go on."""


class Sampler(Protocol):
    """Generates completions, and takes new weights between calls."""

    def generate(
        self, requests: Sequence[Request], sampling: Sampling, *, finished: Finished | None = None
    ) -> list[Completion]:
        """One completion per request, in order. The same request gives the same tokens in whatever company.

        ``finished`` may be called for a completion before all have ended, so that its verdict can begin. Raises
        :class:`ConfigError` where a prompt and ``max_tokens`` exceed the model's positions.
        """
        ...

    def load_weights(self, named_tensors: Iterable[tuple[str, Tensor]], version: int) -> None:
        """Serve these weights from now on. ``version`` is recorded with every rollout."""
        ...

    def weights_digest(self) -> str:
        """sha256 over every tensor that is served, in name order: one half of the weight-sync proof."""
        ...

    @property
    def version(self) -> int:
        """The policy version that is served."""
        ...
