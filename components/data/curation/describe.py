"""What is done to one shard alone: its features to disk, its matches with evaluation problems back."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from r1flow.components.data.curation.contamination import Match, Matcher
from r1flow.components.data.curation.evaluation import Evaluation, Key, load_problems, word_vocabulary
from r1flow.components.data.curation.features import features, token_vocabulary
from r1flow.components.data.curation.hashing import Vocabulary
from r1flow.components.data.curation.settings import Curation
from r1flow.components.data.curation.shards import read_rows, save, save_sets


@dataclass(frozen=True)
class Task:
    """One shard. ``problems`` are the evaluation problems' file, ``digest`` its content's; ``key`` is a module's own."""

    shard: Path
    problems: Path
    digest: str
    settings: Curation
    key: Key | None = None

    def __str__(self) -> str:
        return f"shard {self.shard.name}"


def describe(task: Task) -> list[Match]:
    """Write the features of the shard beside its rows; its matches, rows counted from the shard's first."""
    matcher, tokens, words = _tools(task.problems, task.digest, task.settings)
    rows = read_rows(task.shard)
    texts = [(row.prompt, row.completion, row.answer) for row in rows]
    found, normalised, table, runs = features(texts, tokens, task.settings.shingle, near=task.settings.near)
    for name in ("text", "answer", "figures", "skeleton", "bands", "masked_bands"):
        save(task.shard, name, getattr(found, name))
    save_sets(task.shard, "shingles", found.shingles.hashes, found.shingles.offsets)
    save_sets(task.shard, "masked", found.masked.hashes, found.masked.offsets)
    _write(task.shard / "ids.json", json.dumps([[row.id, row.source] for row in rows]))
    if matcher is None:
        return []
    keys: Sequence[str | None] = [None if task.key is None else task.key(row) for row in rows]
    return matcher.match(normalised, [row.answer for row in rows], keys, (table, runs), words)


@lru_cache(maxsize=1)
def _tools(problems: Path, digest: str, settings: Curation) -> tuple[Matcher | None, Vocabulary, Vocabulary]:
    """Made once per process. Without problems there is nothing to match."""
    held = load_problems(problems)
    return Matcher(Evaluation(held, settings), settings) if held else None, token_vocabulary(), word_vocabulary()


def _write(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)
