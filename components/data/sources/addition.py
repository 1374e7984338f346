"""Sums of two numbers of two digits, asked in English, and how they are worked out digit by digit.

Small enough for a model of 100 million parameters to learn in minutes, and not in its grasp before: it is asked for a form
that it does not know. ``english/addition`` in a recipe.
"""

import re
from itertools import combinations_with_replacement

from r1flow.components.core.errors import DataError
from r1flow.components.core.schema import Row
from r1flow.components.core.seeds import python_rng

SKILL = "addition"
QUESTION = "What is {} + {}? Reply with <think>...</think> <answer>...</answer>."
NUMBERS = range(10, 100)
_ASKED = re.compile(re.escape(QUESTION).replace(r"\{\}", r"(\d\d)"))


def addition_rows(num: int, seed: int) -> list[Row]:
    """``num`` sums in an order that ``seed`` decides, of which none is another one turned round; fewer are the first of more.

    A row's level is how often its digits carry: 0, 1 or 2. DataError for more than the 4,095 that there are.
    """
    pairs = list(combinations_with_replacement(NUMBERS, 2))
    if num > len(pairs):
        raise DataError(
            f"english/addition: there are {len(pairs):,} sums of two numbers of two digits, {num:,} are asked for"
        )
    rng = python_rng(seed, "english", SKILL)
    rng.shuffle(pairs)
    turned = [rng.random() < 0.5 for _ in pairs]
    return [
        _row(f"{SKILL}-{place:05d}", *(reversed(pair) if turn else pair))
        for place, (pair, turn) in enumerate(zip(pairs[:num], turned, strict=False))
    ]


def with_worked_sum(row: Row) -> Row:
    """A sum with its thought and answer, to learn from."""
    return row.model_copy(update={"completion": worked_sum(*_terms(row.prompt))})


def worked_sum(a: int, b: int) -> str:
    """Ones, what they carry, tens; then the answer.

    >>> worked_sum(23, 48)
    '<think>3 + 8 = 11. Carry 1. 2 + 4 + 1 = 7.</think> <answer>71</answer>'
    >>> worked_sum(60, 75)
    '<think>0 + 5 = 5. 6 + 7 = 13.</think> <answer>135</answer>'
    """
    ones, carried = a % 10 + b % 10, (a % 10 + b % 10) // 10
    tens = a // 10 + b // 10 + carried
    first = f"{a % 10} + {b % 10} = {ones}." + " Carry 1." * carried
    second = f"{a // 10} + {b // 10}" + " + 1" * carried + f" = {tens}."
    return f"<think>{first} {second}</think> <answer>{a + b}</answer>"


def addition_key(prompt: str) -> str | None:
    """What tells a sum from another: its terms in any order. None for a text that is none of these sums."""
    found = _ASKED.fullmatch(prompt)
    return f"{SKILL}:" + "+".join(sorted(found.groups())) if found else None


def _row(row_id: str, a: int, b: int) -> Row:
    carried = (a % 10 + b % 10) // 10
    level = carried + (a // 10 + b // 10 + carried) // 10
    asked = QUESTION.format(a, b)
    return Row(
        id=row_id,
        prompt=asked,
        answer=str(a + b),
        verifier="math",
        skill=SKILL,
        language="en",
        level=level,
        source=SKILL,
    )


def _terms(prompt: str) -> tuple[int, int]:
    found = _ASKED.fullmatch(prompt)
    assert found is not None, "a row of addition_rows"
    return int(found[1]), int(found[2])
