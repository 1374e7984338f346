"""Rollouts and groups: what the trainer trains on and the lake keeps."""

from collections.abc import Mapping
from dataclasses import dataclass

from r1flow.components.core.verdict import Verdict


@dataclass(frozen=True)
class Rollout:
    """One completion of one prompt, with everything that was found out about it.

    ``logprobs`` are the sampler's, at the sampling temperature. ``reward`` is the weighted total (None: not scored),
    ``rewards`` its components by name, ``language`` the share of the target language in the thought (None: no words),
    ``reflections`` the number of reflection words, ``policy_version`` the weights that sampled it, all its tokens.
    """

    prompt_id: str
    sample: int
    prompt_ids: tuple[int, ...]
    ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    finished: bool
    text: str
    reward: float | None
    rewards: Mapping[str, float | None]
    verdict: str | None
    language: float | None
    format_ok: bool
    reflections: int
    policy_version: int

    @property
    def correct(self) -> bool:
        return self.verdict == Verdict.CORRECT


@dataclass(frozen=True)
class Group:
    """The G rollouts of one prompt in one step; ``advantages`` stand beside ``rollouts``, one each."""

    rollouts: tuple[Rollout, ...]
    advantages: tuple[float, ...]
