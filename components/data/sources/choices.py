"""A question with its right answer and some wrong ones as a multiple-choice problem."""

from collections.abc import Sequence
from hashlib import blake2b

from r1flow.components.data.sources.records import BadRow

LETTERS = "ABCDEFGHIJ"


def with_choices(question: str, right: str, wrong: Sequence[str]) -> tuple[str, str]:
    """The question with choices behind it, and the letter of the right one.

    The order follows from the texts: it is the same in every run and says nothing about which is right. Raises BadRow
    where a choice is empty or stands there twice, and for more choices than letters.

    >>> with_choices("Which is prime?", "7", ["9", "15", "21"])
    ('Which is prime?\\n\\n(A) 9\\n(B) 15\\n(C) 7\\n(D) 21', 'C')
    """
    choices = [choice.strip() for choice in (right, *wrong)]
    if not all(choices) or len(set(choices)) < len(choices):
        raise BadRow("an empty choice, or one that stands there twice")
    if len(choices) > len(LETTERS):
        raise BadRow(f"more than {len(LETTERS)} choices")
    order = sorted(choices, key=lambda choice: blake2b(f"{question}\0{choice}".encode()).digest())
    lines = [f"({letter}) {choice}" for letter, choice in zip(LETTERS, order, strict=False)]
    return f"{question}\n\n" + "\n".join(lines), LETTERS[order.index(right.strip())]
