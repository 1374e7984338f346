"""Rollouts and groups: what the trainer trains on and the lake keeps."""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from r1flow.components.core.verdict import Verdict


@dataclass(frozen=True)
class Rollout:
    """One completion of one prompt, with everything that was found out about it.

    ``ids`` (int32) and ``logprobs`` (float64) become arrays whatever they are given as: kept as Python numbers, which a
    sampler hands over, they take nine times the memory, and a step holds them all. ``prompt_ids`` is a tuple, which all
    samples of a prompt share and which names it where prompts are computed once.

    ``logprobs`` are the sampler's, at the sampling temperature. ``reward`` is the weighted total (None: not scored),
    ``rewards`` its components by name, ``language`` the share of the target language in the thought (None: no words),
    ``reflections`` the number of reflection words, ``policy_version`` the weights that sampled it, all its tokens.
    """

    prompt_id: str
    sample: int
    prompt_ids: tuple[int, ...]
    ids: Sequence[int]
    logprobs: Sequence[float]
    finished: bool
    text: str
    reward: float | None
    rewards: Mapping[str, float | None]
    verdict: str | None
    language: float | None
    format_ok: bool
    reflections: int
    policy_version: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "prompt_ids", tuple(self.prompt_ids))
        object.__setattr__(self, "ids", array("i", self.ids))
        object.__setattr__(self, "logprobs", array("d", self.logprobs))

    @property
    def correct(self) -> bool:
        return self.verdict == Verdict.CORRECT


@dataclass(frozen=True)
class Group:
    """The G rollouts of one prompt in one step; ``advantages`` stand beside ``rollouts``, one each."""

    rollouts: tuple[Rollout, ...]
    advantages: tuple[float, ...]
