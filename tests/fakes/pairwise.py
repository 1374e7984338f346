"""A small part of a product of factors in which every pair of values of any two factors still occurs."""

from collections.abc import Hashable, Sequence
from itertools import combinations
from typing import TypeVar

T = TypeVar("T", bound=tuple[Hashable, ...])


def pairs(case: tuple[Hashable, ...]) -> set[tuple[int, Hashable, int, Hashable]]:
    return {(i, case[i], j, case[j]) for i, j in combinations(range(len(case)), 2)}


def covering(cases: Sequence[T]) -> list[T]:
    """Greedy: always the case with the most pairs that no chosen one has, the first of equals."""
    missing = {pair for case in cases for pair in pairs(case)}
    chosen: list[T] = []
    while missing:
        best = max(cases, key=lambda case: len(pairs(case) & missing))
        missing -= pairs(best)
        chosen.append(best)
    return chosen
