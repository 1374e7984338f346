"""The input of every program, as the supervisor writes it to ``spec.json``."""

from pathlib import Path
from typing import Any

from pydantic import Field

from r1flow.components.recipe.models import LanguageConfig, PromptConfig
from r1flow.components.recipe.run import RunConfig
from r1flow.components.recipe.section import Section

STOP = "stop.txt"
"""In the work directory: the supervisor asks for an end after the current step, and says why."""


class Spec(Section):
    """One program's work: its settings, where its inputs lie, where its output goes."""

    stage: str
    seed: int
    config: dict[str, Any]
    """The stage's own settings; every program validates its part."""
    prompt: PromptConfig = PromptConfig()
    language: LanguageConfig = LanguageConfig()
    run: RunConfig = RunConfig()
    notes: dict[str, Any] = Field(default_factory=dict)
    """Facts for people (names, times) that enter no fingerprint."""
    scorers: int = 2
    """Worker processes that judge answers; they start when an answer needs one."""
    inputs: dict[str, Path] = Field(default_factory=dict)
    """Verified local directories of the input artifacts."""
    out: Path
    work: Path
    store: str
    checkpoints: str
    """Prefix on the store for this fingerprint's checkpoints."""

    @property
    def spool(self) -> Path:
        return self.work / "metrics.jsonl"
