"""Where things lie inside the artifacts that stages hand to each other: one place for the names of their files."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Policy:
    """What training leaves: a model, its history, and of RL the rollouts."""

    path: Path

    @property
    def model(self) -> Path:
        """An ordinary Hugging Face directory."""
        return self.path / "model"

    @property
    def lake(self) -> Path:
        """The rollouts of an RL stage; there is none beside other models."""
        return self.path / "lake"


@dataclass(frozen=True)
class Dataset:
    """What curation leaves: problems, or demonstrations."""

    path: Path

    @property
    def train(self) -> Path:
        """Problems with answers that a rule can check."""
        return self.path / "train.jsonl"

    @property
    def sft(self) -> Path:
        """Rows with completions to learn from; a selection has them under the same name."""
        return self.path / "sft.jsonl"

    @property
    def rows(self) -> Path:
        """Whichever of the two it holds."""
        return self.train if self.train.exists() else self.sft


@dataclass(frozen=True)
class Suites:
    """The problems of every suite of a recipe."""

    path: Path

    def problems(self, suite: str) -> Path:
        return self.path / f"{suite}.jsonl"

    def names(self) -> Iterator[str]:
        return (path.stem for path in sorted(self.path.glob("*.jsonl")) if path.stem != "quarantine")
