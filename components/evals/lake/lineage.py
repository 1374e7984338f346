"""From one row back to where it comes from: answer, checkpoint, training step, rollouts, dataset row, source, commit.

An evaluation's problem was never trained on: what is found is the checkpoint that answered it, the last step that made
this checkpoint, and that step's rollouts with the rows they came from. Of a training problem the steps that drew it are found.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import pyarrow.parquet as pq

from r1flow.components.core.errors import DataError
from r1flow.components.core.verdict import Verdict
from r1flow.components.evals.lake.generations import is_data, suite_file, suite_of
from r1flow.components.evals.lake.made import Made
from r1flow.components.evals.lake.origin import source_of
from r1flow.components.evals.lake.tables import ANSWERS, SHARD

ROWS = ("train.jsonl", "sft.jsonl")
"""Files of a dataset: problems, or demonstrations."""
STEPS = 10
"""Steps that are named."""
GROUP = ["step", "prompt_id", "sample", "verdict", "reward", "advantage"]


class Shelf(Protocol):
    """Where artifacts are found by fingerprint: a store, or a report's inputs. DataError for one that is not there."""

    def made(self, fingerprint: str) -> Made: ...

    def file(self, fingerprint: str, path: str) -> Path: ...


@dataclass(frozen=True)
class Link:
    """One stretch of the way: what it is, the artifact and file that say so, and what they say.

    ``group``: fingerprint, step and problem of the rollouts it tells of.
    """

    what: str
    where: str
    says: str
    group: tuple[str, int, str] | None = None


def trace(shelf: Shelf, fingerprint: str, problem: str) -> list[Link]:
    """The way from ``problem`` in an evaluation, an RL stage, a dataset or suites. DataError where there is no such row."""
    made = shelf.made(fingerprint)
    if made.kind == "evaluation":
        suite, answer = _answer(shelf, made, problem)
        held = shelf.made(made.inputs["suites"])
        asked = _row(shelf, held, suite_file(held.kind, suite), problem, "evaluation problem")
        return [answer, *asked, *_checkpoint(shelf, made.inputs["model"])]
    if _shards(made):
        return [*_drawn(shelf, made, problem), _commit(made)]
    tables = [path for path in made.files if suite_of(made.kind, path) or (made.kind == "dataset" and path in ROWS)]
    found = [link for path in tables for link in _row(shelf, made, path, problem, "dataset row", must=False)]
    if found:
        return [*found, _commit(made)]
    if tables:
        raise _missing(made, problem, _ids(shelf.file(fingerprint, tables[-1])))
    raise DataError(
        f"{made.short} has no rows to start from; give an evaluation, an RL stage, a dataset or suites (r1 ls)"
    )


def _answer(shelf: Shelf, made: Made, problem: str) -> tuple[str, Link]:
    known: list[str] = []
    for path in made.files:
        suite = ANSWERS.fullmatch(path)
        if suite is None:
            continue
        file = shelf.file(made.fingerprint, path)
        rows = pq.read_table(file, filters=[("problem_id", "==", problem)]).to_pylist()
        if rows:
            right = sum(row["verdict"] == Verdict.CORRECT for row in rows)
            gold = f", answer {rows[0]['gold']}" if "gold" in rows[0] else ""
            asked = f"{rows[0]['prompt']}{gold}: " if "prompt" in rows[0] else ""
            return suite[1], Link("answer", f"{made.short} {path}", f"{asked}{right} of {len(rows)} samples correct")
        known += pq.read_table(file, columns=["problem_id"])["problem_id"].to_pylist()[:1]
    raise _missing(made, problem, known)


def _checkpoint(shelf: Shelf, fingerprint: str) -> list[Link]:
    """The model, and what it learned from: the rollouts of its last step, or SFT data and the rollouts behind them."""
    made = shelf.made(fingerprint)
    step = _last_step(shelf, made)
    after = f", after step {step}" if step else ", as it was imported" if made.kind == "model" else ""
    links = [Link("checkpoint", f"{made.short} model/", f"{made.stage}{after}")]
    if _shards(made):
        rows = _lake(shelf, made, step)
        names = list(dict.fromkeys(row["prompt_id"] for row in rows))
        rewards = [row["reward"] for row in rows if row["reward"] is not None]
        mean = f", mean reward {sum(rewards) / len(rewards):.2f}" if rewards else ""
        says = f"step {step}, the last: {len(rows)} completions of {len(names)} problems{mean}"
        links.append(Link("training step", f"{made.short} {_shard(made, step)}", says))
        taught = next(
            (row["prompt_id"] for row in rows if row["advantage"]), names[0]
        )  # the first that taught anything
        links += _rollouts(shelf, made, [row for row in rows if row["prompt_id"] == taught])
    else:
        links += [link for role, data in made.inputs.items() if is_data(role) for link in _taught(shelf, data)]
    return [*links, _commit(made)]


def _taught(shelf: Shelf, fingerprint: str) -> list[Link]:
    """SFT data, their first row, and where that came from: rollouts, of which the steps that it may be from, or a source."""
    made = shelf.made(fingerprint)
    if "sft.jsonl" not in made.files:
        return []
    rows = [row for _, row in _lines(shelf.file(fingerprint, "sft.jsonl"))]
    links = [Link("SFT data", f"{made.short} sft.jsonl", f"{made.stage}: {len(rows)} completions to learn from")]
    if made.kind == "dataset":
        return [*links, *_row(shelf, made, "sft.jsonl", rows[0]["id"], "dataset row")]
    selected = next((row["id"] for row in rows if row["source"] == "lake"), None)
    if selected is None or "from" not in made.inputs:
        return links
    source = shelf.made(made.inputs["from"])
    if _shards(source):
        return [*links, *_drawn(shelf, source, selected)]
    return [*links, *_row(shelf, source, "sft.jsonl", selected, "dataset row")]


def _drawn(shelf: Shelf, made: Made, problem: str) -> list[Link]:
    """The steps of an RL stage that drew a problem, and the rollouts of the first of them."""
    rows = _lake(shelf, made, problem=problem)
    if not rows:
        raise _missing(made, problem, [row["prompt_id"] for row in _lake(shelf, made, 1)])
    steps = sorted({row["step"] for row in rows})
    right = sum(row["verdict"] == Verdict.CORRECT for row in rows)
    named = ", ".join(map(str, steps[:STEPS])) + (f" and {len(steps) - STEPS} more" if len(steps) > STEPS else "")
    says = f"{made.stage} drew {problem} in step {named}: {right} of {len(rows)} completions correct"
    where = f"{made.short} {_shard(made, steps[0])}"
    first = [row for row in rows if row["step"] == steps[0]]
    return [Link("training step", where, says), *_rollouts(shelf, made, first)]


def _rollouts(shelf: Shelf, made: Made, rows: Sequence[Mapping[str, Any]]) -> list[Link]:
    """A group, and the row of the dataset that it answers."""
    step, problem = rows[0]["step"], rows[0]["prompt_id"]
    right = sum(row["verdict"] == Verdict.CORRECT for row in rows)
    learned = [row["advantage"] for row in rows]
    spread = f"advantages {min(learned):+.2f} to {max(learned):+.2f}"
    says = f"step {step}, problem {problem}: {right} of {len(rows)} correct, {spread}"
    group = Link("rollouts", f"{made.short} {_shard(made, step)}", says, (made.fingerprint, step, problem))
    return [group, *_row(shelf, shelf.made(made.inputs["data"]), "train.jsonl", problem, "dataset row")]


def _row(shelf: Shelf, made: Made, path: str, problem: str, what: str, *, must: bool = True) -> list[Link]:
    """A row of a dataset or of suites, and its source."""
    for number, row in _lines(shelf.file(made.fingerprint, path)):
        if row["id"] == problem:
            answer = f", answer {row['answer']}" if row["answer"] else ", judged by tests" if row.get("tests") else ""
            licence = f", {row['licence']}" if row.get("licence") else ""
            return [
                Link(what, f"{made.short} {path}", f"line {number}: {row['prompt']}{answer}{licence}"),
                Link("source", made.short, source_of(made, row["source"], suite_of(made.kind, path))),
            ]
    if must:
        raise _missing(made, problem, _ids(shelf.file(made.fingerprint, path)))
    return []


def _commit(made: Made) -> Link:
    return Link("commit", made.short, f"{made.stage} was made by commit {made.commit or 'unknown: no checkout'}")


def _lake(shelf: Shelf, made: Made, step: int | None = None, problem: str | None = None) -> list[dict[str, Any]]:
    """Rollouts of a step, or of a problem in all steps."""
    filters: list[tuple[str, str, Any]] = [("step", "==", step)] if step is not None else [("prompt_id", "==", problem)]
    paths = _shards(made) if step is None else [_shard(made, step)]
    tables = (pq.read_table(shelf.file(made.fingerprint, path), columns=GROUP, filters=filters) for path in paths)
    return [row for table in tables for row in table.to_pylist()]


def _shards(made: Made) -> list[str]:
    return sorted(path for path in made.files if SHARD.fullmatch(path))


def _shard(made: Made, step: int) -> str:
    """The shard that holds a step; the last where none does."""
    shards = _shards(made)
    return next((path for path in shards if step <= int(path[:-8].rsplit("-", 1)[1])), shards[-1])


def _last_step(shelf: Shelf, made: Made) -> int:
    """The last step of training, 0 for a model that was not trained here."""
    if "history.jsonl" in made.files:
        return max((int(row["step"]) for _, row in _lines(shelf.file(made.fingerprint, "history.jsonl"))), default=0)
    return max((int(path[:-8].rsplit("-", 1)[1]) for path in _shards(made)), default=0)


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            yield number, json.loads(line)


def _ids(path: Path) -> list[str]:
    return [str(row["id"]) for _, row in islice(_lines(path), 3)]


def _missing(made: Made, problem: str, known: Sequence[str]) -> DataError:
    some = ", ".join(dict.fromkeys(known[:3])) or "none"
    return DataError(
        f"{made.short} ({made.stage}) has no row {problem!r}; it has {some} and so on (r1 lake query, r1 show)"
    )
