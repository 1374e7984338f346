"""A kind of one's own, as a person would write it, to be put on the Python path of a test."""

SOURCE = '''
from typing import ClassVar

from r1flow.components.recipe.references import Demonstrations, Model
from r1flow.components.recipe.stages import Stage


class Trim(Stage):
    """Demonstrations, cut."""

    version: ClassVar[str] = "3"
    gives: ClassVar[tuple[str, ...]] = ("demonstrations",)
    reads: ClassVar[tuple[str, ...]] = ("seed", "prompt")

    data: Demonstrations
    judge: Model | None = None
    words: int = 5
    micro_tokens: int = 7
    source: str = "mine"

    def run(self, spec):
        (spec.out / "seen.txt").write_text(f"{self.words} {self.source} {spec.inputs[self.data].name}")
        return {"words": float(self.words)}


class Idle(Stage):
    """It does nothing."""


class Other:
    def run(self, spec):
        return {}
'''
