"""One adversarial case: a row, a completion, and what must come out of a sound verifier."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from r1flow.components.core.schema import Row, Verifier

Kind = Literal["math", "choice", "exact", "code", "format", "language_en", "language_zh"]


class Family(StrEnum):
    """Where a case comes from, which settles what must come out.

    EQUIVALENT must be CORRECT. NEAR_MISS and ADVERSARIAL must earn 0 and a verdict: neither CORRECT nor masked, since a
    completion that gets itself masked leaves its group at will. UNUSABLE has a broken gold and must be masked.
    """

    EQUIVALENT = "equivalent"
    NEAR_MISS = "near_miss"
    ADVERSARIAL = "adversarial"
    UNUSABLE = "unusable"


@dataclass(frozen=True)
class Case:
    """``mutation`` names how the completion was made, for instance ``fraction/reciprocal``."""

    family: Family
    mutation: str
    row: Row
    completion: str


@dataclass(frozen=True)
class Specimen:
    """A gold answer, texts that say the same, and texts that nearly do; the keys name the mutations."""

    name: str
    gold: str
    same: Mapping[str, str]
    different: Mapping[str, str]


def text_row(gold: str, verifier: Verifier, prompt: str = "What is the answer?") -> Row:
    """A row without tests. Its id is the same for all, because a verifier has no business with it."""
    return Row(id="adversarial", prompt=prompt, answer=gold, verifier=verifier, source="adversarial")


def thought(rng: random.Random, *, inside: str = "", opened: bool = True) -> str:
    """A closed thought that holds ``inside``; without ``opened`` it begins as after a template that opened it."""
    line = rng.choice(
        (
            "I look at what is given and what is asked.",
            "First I simplify; then I check the result.",
            "There are several ways. The direct one is short.",
            "Let me set this up and work it out step by step.",
        )
    )
    return f"{'<think>' if opened else ''}\n{line}\n{inside}{chr(10) if inside else ''}</think>\n"
