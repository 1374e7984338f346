"""What a curated dataset is made of and what was left out of it, from its files: for its card and for the run's report.

Whoever curates writes ``report.json`` with ``counts`` (from ``read`` over what was lost at every step to ``kept``, in order)
and lists of dropped rows, and ``quarantine.jsonl``. This module reads them and knows no rule of curation.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from r1flow.components.core.artifacts import Dataset
from r1flow.components.data.card import UNKNOWN, most_frequent, table

LABELS = {
    "read": "read from the sources",
    "quarantined": "quarantined: malformed",
    "duplicates": "exact duplicates",
    "near_duplicates": "near-duplicates",
    "contaminated": "met an evaluation problem",
    "evaluation_variants": "an evaluation problem with other numbers",
    "left_out": "left out by the mixture",
    "kept": "kept for training",
}
LISTS = {"contaminated": LABELS["contaminated"], "duplicates": "says what another row says"}
SHOWN = 3
LONGEST = 120  # characters of an example


@dataclass
class Composition:
    """Rows by what they say of themselves; ``lengths`` of prompts in characters, by the power of two they are below."""

    rows: int = 0
    sources: Counter[tuple[str, str]] = field(default_factory=Counter)
    skills: Counter[str] = field(default_factory=Counter)
    levels: Counter[int] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    lengths: Counter[int] = field(default_factory=Counter)

    def add(self, row: Mapping[str, Any]) -> None:
        self.rows += 1
        self.sources[row["source"], row.get("licence") or UNKNOWN] += 1
        self.skills[row["skill"]] += 1
        self.lengths[1 << len(row["prompt"]).bit_length()] += 1
        if row.get("level") is not None:
            self.levels[row["level"]] += 1
        if row.get("language"):
            self.languages[row["language"]] += 1

    def tables(self) -> dict[str, list[tuple[str, int]]]:
        """Rows by source, skill, level, language and length, as far as there is more than one kind to tell apart."""
        found = {
            "source and licence": [
                (f"{source} ({licence})", n) for (source, licence), n in most_frequent(self.sources)
            ],
            "skill": most_frequent(self.skills),
            "level": [(str(level), n) for level, n in sorted(self.levels.items())],
            "language": most_frequent(self.languages),
            "characters of the prompt": [(f"below {size:,}", n) for size, n in sorted(self.lengths.items())],
        }
        return {name: rows for name, rows in found.items() if len(rows) > 1 or (rows and name.startswith("source"))}


@dataclass(frozen=True)
class Example:
    """One dropped row: which, and what it met or what was wrong with it."""

    row: str
    why: str


@dataclass(frozen=True)
class Dropped:
    """The first few rows that were dropped for one reason."""

    reason: str
    examples: tuple[Example, ...]


def compose(directory: Path) -> Composition:
    """The composition of the dataset's rows, read one by one."""
    found = Composition()
    for row in _lines(Dataset(directory).rows):
        found.add(row)
    return found


def falls(counts: Mapping[str, int]) -> list[tuple[str, str, int]]:
    """(step, label, rows) from ``read`` to ``kept``; whatever stands between them in ``counts`` was lost on the way."""
    steps: list[tuple[str, str, int]] = []
    for name, number in counts.items():
        if name == "read" or steps:
            steps.append((name, LABELS.get(name, name.replace("_", " ")), number))
        if name == "kept":
            break
    return steps


def dropped(directory: Path) -> list[Dropped]:
    """Examples of what was dropped, by reason: what met an evaluation problem, what repeats another row, what is no row."""
    report = json.loads((directory / "report.json").read_text(encoding="utf-8"))
    by_reason: dict[str, list[Example]] = {}
    for name, label in LISTS.items():
        for pair in report.get(name, ()):
            if not pair.get("dropped", True):
                continue
            reason = f"{label}: {pair['rule']}" if "rule" in pair else label
            _note(by_reason, reason, _example(pair))
    for bad in _lines(directory / "quarantine.jsonl"):
        place = f"{bad['source']}, line {bad['line']}"
        _note(by_reason, f"malformed: {bad['reason']}", Example(place, _short(bad["excerpt"])))
    return [Dropped(reason, tuple(examples)) for reason, examples in by_reason.items()]


def card(directory: Path, title: str) -> str:
    """The dataset's card: the waterfall, the composition, and examples of what was dropped and why."""
    report = json.loads((directory / "report.json").read_text(encoding="utf-8"))
    lines = [
        f"# {title}",
        "",
        *table(("step", "rows"), [(label, number) for _, label, number in falls(report["counts"])]),
        "",
    ]
    for name, rows in compose(directory).tables().items():
        lines += [f"## By {name}", "", *table((name, "rows"), rows), ""]
    examples = [(d.reason, e.row, e.why) for d in dropped(directory) for e in d.examples]
    if examples:
        lines += ["## Dropped, for example", "", *table(("reason", "row", "what it met or says"), examples), ""]
    return "\n".join(lines)


def _note(by_reason: dict[str, list[Example]], reason: str, example: Example) -> None:
    examples = by_reason.setdefault(reason, [])
    if len(examples) < SHOWN:
        examples.append(example)


def _example(pair: Mapping[str, Any]) -> Example:
    if "duplicate_of" in pair:
        return Example(pair["id"], pair["duplicate_of"])
    return Example(pair["train_id"], _short(f"{pair['eval_id']}: {pair['shared']}"))


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "\u2026"


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)
