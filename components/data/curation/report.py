"""The report of curation: counts, and every dropped row beside the row or the problem that it meets.

``report.json`` has the counts and the first rows of every list; the whole lists lie beside it, as JSON lines:
``duplicates.jsonl``, ``variants.jsonl`` and ``contamination/<suite>.jsonl``.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from r1flow.components.data.curation.pipeline import Curated
from r1flow.components.data.curation.shards import column

SHOWN = 100


def write_report(
    curated: Curated, out: Path, counts: Mapping[str, int] | None = None, more: Mapping[str, Any] | None = None
) -> Mapping[str, int]:
    """Write the report to the directory ``out``; the counts.

    ``counts`` stands in place of curation's own where its rows were drawn from afterwards, ``more`` beside what is found here.
    """
    counts = curated.counts() if counts is None else counts
    names = _names(curated)
    duplicates = list(_duplicates(curated, names))
    contaminated = list(_contaminated(curated, names))
    _lines(out / "duplicates.jsonl", duplicates)
    _lines(out / "variants.jsonl", _variants(curated.variants, names))
    suites = {}
    for suite, size in curated.suites.items():
        pairs = [pair for pair in contaminated if pair["suite"] == suite]
        _lines(out / "contamination" / f"{suite}.jsonl", pairs)
        rules = Counter(pair["rule"] for pair in pairs)
        suites[suite] = {
            "problems": size,
            "met": len({pair["eval_id"] for pair in pairs}),
            "rules": dict(sorted(rules.items())),
        }
    report = {
        "counts": counts,
        **(more or {}),
        "suites": suites,
        "settings": asdict(curated.settings),
        "compared": curated.duplicates.compared,
        "crowded_buckets": curated.duplicates.crowded,
        "duplicates": duplicates[:SHOWN],
        "contaminated": contaminated[:SHOWN],
    }
    (out / "report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    return counts


def _names(curated: Curated) -> dict[int, tuple[str, str]]:
    """(id, source) of the rows that the report names."""
    duplicates = curated.duplicates
    wanted = {match.row for match in curated.matches}
    for pairs in (duplicates.exact, duplicates.near, curated.variants):
        wanted |= pairs.keys() | set(pairs.values())
    names: dict[int, tuple[str, str]] = {}
    start = 0
    for shard, size in zip(curated.written.shards, curated.written.sizes, strict=True):
        ids = json.loads((shard / "ids.json").read_text(encoding="utf-8"))
        names |= {row: tuple(ids[row - start]) for row in range(start, start + size) if row in wanted}
        start += size
    return names


def _duplicates(curated: Curated, names: Mapping[int, tuple[str, str]]) -> Iterable[dict[str, Any]]:
    found = curated.duplicates
    answers = column(curated.written.shards, "answer")
    for row, other in sorted((found.exact | found.near).items()):
        (row_id, source), (other_id, other_source) = names[row], names[other]
        yield {
            "id": row_id,
            "source": source,
            "duplicate_of": other_id,
            "of_source": other_source,
            "rule": "exact" if row in found.exact else "near",
            "jaccard": found.similarity.get(row, 1.0),
            "same_answer": bool(answers[row] == answers[other]),
        }


def _contaminated(curated: Curated, names: Mapping[int, tuple[str, str]]) -> Iterable[dict[str, Any]]:
    for match in curated.matches:
        row_id, source = names[match.row]
        yield {
            "train_id": row_id,
            "source": source,
            "suite": match.suite,
            "eval_id": match.problem,
            "rule": match.rule,
            "similarity": match.similarity,
            "shared": match.shared,
            "dropped": curated.drops(match),
        }


def _variants(variants: Mapping[int, int], names: Mapping[int, tuple[str, str]]) -> Iterable[dict[str, Any]]:
    """One line a group: its head's id names it."""
    members: dict[int, list[int]] = {}
    for row, head in sorted(variants.items()):
        members.setdefault(head, [head]).append(row)
    for head, rows in sorted(members.items()):
        yield {"group": names[head][0], "rows": [{"id": names[row][0], "source": names[row][1]} for row in rows]}


def _lines(path: Path, entries: Iterable[Mapping[str, Any]]) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8") as stream:
        for entry in entries:
            stream.write(json.dumps(entry, ensure_ascii=False) + "\n")
