"""Completions of problems with their rewards: what RL, evaluation and rating have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from r1flow.components.core.rollout import Rollout
from r1flow.components.sampling.base import Request, Sampler, Sampling

if TYPE_CHECKING:
    from r1flow.components.core.schema import Row
    from r1flow.components.rewards.score import Scorer

Phase = Callable[[str], AbstractContextManager[None]]


def unmeasured(name: str) -> AbstractContextManager[None]:
    """A phase whose time nobody takes."""
    return nullcontext()


def collect(
    sampler: Sampler,
    scorer: Scorer,
    rows: Sequence[Row],
    sampling: Sampling,
    *,
    samples: int,
    seeds: Sequence[int],
    encode: Callable[[Row], tuple[int, ...]],
    decode: Callable[[Sequence[int]], str],
    phase: Phase = unmeasured,
) -> list[Rollout]:
    """``samples`` scored completions of every row, row by row; nothing is sampled where there are no rows.

    ``seeds`` has one seed for each of them: who collects decides what a draw depends on. ``encode`` renders a row to
    prompt token ids, ``decode`` turns completion ids into text, once for each. A completion that has ended is scored
    while others are still being written. ``phase`` is entered as "sample" and then as "score".

    Raises ValueError unless there are rows times samples seeds, and what sampler and scorer raise.
    """
    if not rows:
        return []
    asked = [row for row in rows for _ in range(samples)]
    prompts = [prompt for row in rows for prompt in [encode(row)] * samples]
    requests = [Request(prompt, seed) for prompt, seed in zip(prompts, seeds, strict=True)]
    ended: dict[int, str] = {}

    def finished(index: int, ids: Sequence[int]) -> None:
        ended[index] = decode(ids)
        scorer.ahead(ended[index], asked[index])

    with phase("sample"):
        completions = sampler.generate(requests, sampling, finished=finished)
    with phase("score"):
        texts = [ended[i] if i in ended else decode(c.ids) for i, c in enumerate(completions)]
        scores = scorer(texts, asked, lengths=[len(c.ids) for c in completions], samples=samples)
    return [
        Rollout(
            prompt_id=row.id,
            sample=index % samples,
            prompt_ids=request.prompt_ids,
            ids=completion.ids,
            logprobs=completion.logprobs,
            finished=completion.finished,
            text=text,
            reward=score.total,
            rewards=score.components,
            verdict=score.verdict,
            language=score.language,
            format_ok=score.format_ok,
            reflections=score.reflections,
            policy_version=sampler.version,
        )
        for index, (row, request, completion, text, score) in enumerate(
            zip(asked, requests, completions, texts, scores, strict=True)
        )
    ]
