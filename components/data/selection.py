"""Rejection sampling: which completions of a lake are good enough to be taught, and which of those differ most."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import combinations
from random import Random
from typing import Any

from r1flow.components.core.seeds import derive_seed
from r1flow.components.core.verdict import Verdict
from r1flow.components.recipe.stages import SelectStage
from r1flow.components.rewards.shaping import repetition_penalty

COLUMNS = ["prompt_id", "text", "ids", "verdict", "format_ok", "language", "finished"]
OVERLAP_NGRAM = 3

Completion = Mapping[str, Any]
"""A row of the lake with COLUMNS."""


@dataclass(frozen=True)
class Selection:
    """What was chosen, in the order it was sampled, and what became of every completion: ``good``, or why not."""

    chosen: list[Completion]
    counts: Counter[str]


@dataclass
class Taken:
    """The completions of one problem that are kept so far, with their n-grams and the place each came at."""

    rows: list[Completion] = field(default_factory=list)
    grams: list[frozenset[int]] = field(default_factory=list)
    places: list[int] = field(default_factory=list)


def choose(completions: Iterable[Completion], config: SelectStage, *, seed: int) -> Selection:
    """Good completions, each text once per problem, at most ``per_problem`` that differ most, then ``examples`` at random.

    One pass; what is in memory is what is kept. Where a problem has more than ``per_problem``, the two most alike of them
    are looked for (Jaccard over token n-grams of OVERLAP_NGRAM) and the one that was sampled later is dropped.
    """
    counts: Counter[str] = Counter()
    seen: set[tuple[str, bytes]] = set()
    taken: dict[str, Taken] = {}
    for place, row in enumerate(completions):
        reason = fault(row, config)
        if reason is None and (text := (row["prompt_id"], _digest(row["text"]))) in seen:
            reason = "repeated"
        if reason is not None:
            counts[reason] += 1
            continue
        seen.add(text)
        counts["enough_of_problem"] += _take(
            taken.setdefault(row["prompt_id"], Taken()), row, place, config.per_problem
        )
    good = [
        row
        for _, row in sorted((pair for t in taken.values() for pair in zip(t.places, t.rows, strict=True)), key=_place)
    ]
    counts["good"] = len(good)
    if len(good) > config.examples:
        kept = sorted(Random(derive_seed(seed, "select")).sample(range(len(good)), config.examples))
        good = [good[i] for i in kept]
    return Selection(good, +counts)


def fault(row: Completion, config: SelectStage) -> str | None:
    """Why a completion is not taught, by itself; None where nothing speaks against it."""
    if row["verdict"] != Verdict.CORRECT:
        return "not_correct"
    if not row["finished"] or not row["format_ok"]:
        return "malformed"
    if row["language"] is None or row["language"] < config.min_language:
        return "unreadable"
    if len(row["ids"]) < config.min_tokens:
        return "too_short"
    if config.max_tokens is not None and len(row["ids"]) > config.max_tokens:
        return "too_long"
    if repetition(row["ids"], config.repetition_ngram) > config.max_repetition:
        return "repetitive"
    return None


def repetition(ids: Sequence[int], ngram: int) -> float:
    """``1 - distinct n-grams / n-grams`` over tokens: the share that has been there before; 0 below ``ngram`` tokens.

    >>> repetition([1, 2, 3, 1, 2, 3], 2)
    0.4
    """
    return -repetition_penalty(ids, ngram)


def overlap(one: frozenset[int], other: frozenset[int]) -> float:
    """Jaccard: what both have by what either has; 1 for equal sets."""
    either = len(one | other)
    return len(one & other) / either if either else 1.0


def token_ngrams(ids: Sequence[int], ngram: int = OVERLAP_NGRAM) -> frozenset[int]:
    """Hashes of the n-grams of ``ids``; of all of it where it is shorter. Numbers hash alike in every process."""
    last = max(1, len(ids) - ngram + 1)
    return frozenset(hash(tuple(ids[start : start + ngram])) for start in range(last))


def _take(taken: Taken, row: Completion, place: int, limit: int) -> int:
    """Add the row and, over ``limit``, drop the later of the two most alike; returns how many were dropped."""
    taken.rows.append(row)
    taken.places.append(place)
    taken.grams.append(token_ngrams(row["ids"]))
    if len(taken.rows) <= limit:
        return 0
    pairs = combinations(range(len(taken.rows)), 2)
    _, drop = max(pairs, key=lambda pair: (overlap(taken.grams[pair[0]], taken.grams[pair[1]]), pair[1]))
    for column in (taken.rows, taken.places, taken.grams):
        del column[drop]
    return 1


def _digest(text: str) -> bytes:
    """In place of the text, of which a lake has more than memory holds."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _place(pair: tuple[int, Completion]) -> int:
    return pair[0]
