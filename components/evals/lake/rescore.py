"""Verdicts taken anew: stored completions before the verifiers of this checkout.

The result is an artifact of kind ``rescore``, one per scored artifact and state of the verifiers, with every old and new
verdict; ``r1 lake query`` has it as the table ``rescored``. A flip is a completion whose verdict is another one now.
"""

import hashlib
import importlib.metadata
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from r1flow.components.core.errors import DataError, ScoringError
from r1flow.components.core.schema import Row
from r1flow.components.core.verdict import Verdict
from r1flow.components.data.files import load_rows
from r1flow.components.evals.lake.generations import inputs_of, suite_file
from r1flow.components.evals.lake.tables import ANSWERS, RESCORED, SHARD, local_file
from r1flow.components.rewards.accuracy import quick_score
from r1flow.components.rewards.pool.batch import Job
from r1flow.components.rewards.pool.pool import ScoringPool
from r1flow.components.store.artifact import find, publish, read_manifest
from r1flow.components.store.fingerprint import fingerprint
from r1flow.components.store.manifest import ArtifactRef, Manifest
from r1flow.components.store.objects import ObjectStore

VERSION = "1"
CHUNK = 4096  # completions before the verifiers at a time
LIBRARIES = ("math-verify", "latex2sympy2-extended", "sympy")
SCHEMA = pa.schema(
    [
        ("artifact", pa.string()),
        ("suite", pa.string()),
        ("step", pa.int32()),
        ("problem_id", pa.string()),
        ("sample", pa.int32()),
        ("advantage", pa.float64()),
        ("before", pa.string()),
        ("after", pa.string()),
        ("extracted", pa.string()),
    ]
)


@dataclass(frozen=True)
class Rescored:
    """The artifact with the new verdicts, whether it was there before, and the rows that flipped."""

    ref: ArtifactRef
    reused: bool
    completions: int
    flips: list[dict[str, Any]]


def verifier_digest() -> str:
    """sha256 over everything that decides a verdict: the rewards' source files and the libraries behind them."""
    import r1flow.components.rewards

    root = Path(r1flow.components.rewards.__path__[0])
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(f"{path.relative_to(root).as_posix()}\0".encode() + path.read_bytes())
    for library in LIBRARIES:
        digest.update(f"{library} {importlib.metadata.version(library)}\0".encode())
    return digest.hexdigest()


def can_be_rescored(manifest: Manifest) -> bool:
    """Whether an artifact holds completions with the rows they answer."""
    return _problems(manifest) is not None and any(_suite(manifest, entry.path) is not None for entry in manifest.files)


def rescore(
    store: ObjectStore,
    ref: ArtifactRef,
    cache: Path,
    pool: ScoringPool,
    progress: Callable[[int], None] = lambda completions: None,
) -> Rescored:
    """Judge every completion of ``ref`` again and publish the verdicts; what these verifiers have judged is read.

    DataError where the artifact holds no completions, or a completion's row is no longer there.
    """
    manifest = read_manifest(store, ref)
    problems = _problems(manifest)
    if problems is None or not can_be_rescored(manifest):
        raise DataError(f"{ref.short} holds no completions with their problems; give an RL stage or an evaluation")
    config = {"verifier": verifier_digest()}
    inputs = {"scored": ref, "problems": problems}
    address = fingerprint(
        kind="rescore", version=VERSION, config=config, inputs={k: v.fingerprint for k, v in inputs.items()}, seed=0
    )
    known = find(store, "rescore", address)
    if known is not None:
        entry = next(e for e in read_manifest(store, known).files if e.path == RESCORED)
        table = pq.read_table(local_file(store, read_manifest(store, known), entry, cache))
        return Rescored(known, True, table.num_rows, _flips(table))
    started = time.time()
    table = _judged(store, ref, manifest, _Problems(store, problems, cache), cache, pool, progress)
    flips = _flips(table)
    with tempfile.TemporaryDirectory() as directory:
        pq.write_table(table, Path(directory) / RESCORED, compression="zstd")
        new = publish(
            store,
            Path(directory),
            kind="rescore",
            fingerprint=address,
            version=VERSION,
            config=config,
            inputs=inputs,
            seed=0,
            metrics={"completions": table.num_rows, "flips": len(flips)},
            provenance={"stage": "rescore", "started": started, "seconds": round(time.time() - started, 3)},
        )
    return Rescored(new, False, table.num_rows, flips)


def _flips(table: pa.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.to_pylist()
    return [row for row in rows if row["before"] != row["after"]]


def _judged(
    store: ObjectStore,
    ref: ArtifactRef,
    manifest: Manifest,
    problems: "_Problems",
    cache: Path,
    pool: ScoringPool,
    progress: Callable[[int], None],
) -> pa.Table:
    parts, done = [], 0
    for entry in manifest.files:
        suite = _suite(manifest, entry.path)
        if suite is None:
            continue
        rows = problems.of(suite)
        for batch in pq.ParquetFile(local_file(store, manifest, entry, cache)).iter_batches(CHUNK):
            found = batch.to_pylist()
            asked = [_asked(rows, record, ref.short) for record in found]
            verdicts = _verdicts([record["text"] for record in found], asked, pool)
            parts += [
                {
                    "artifact": ref.short,
                    "suite": suite or None,
                    "step": record.get("step"),
                    "problem_id": row.id,
                    "sample": record["sample"],
                    "advantage": record.get("advantage"),
                    "before": record["verdict"],
                    "after": verdict,
                    "extracted": extracted,
                }
                for record, row, (verdict, extracted) in zip(found, asked, verdicts, strict=True)
            ]
            done += len(found)
            progress(done)
    return pa.Table.from_pylist(parts, schema=SCHEMA)


def _problems(manifest: Manifest) -> ArtifactRef | None:
    """What holds the rows that the completions answer; None for an artifact without."""
    return inputs_of(manifest).get("suites" if manifest.kind == "evaluation" else "data")


def _suite(manifest: Manifest, path: str) -> str | None:
    """The suite whose answers a file holds, ``""`` for rollouts, None for neither."""
    if SHARD.fullmatch(path):
        return ""
    answers = ANSWERS.fullmatch(path)
    return answers[1] if answers and manifest.kind == "evaluation" else None


class _Problems:
    """The rows of an artifact by id: problems to train on, or those of a suite."""

    def __init__(self, store: ObjectStore, ref: ArtifactRef, cache: Path) -> None:
        self._store, self._ref, self._cache = store, ref, cache
        self._manifest = read_manifest(store, ref)
        self._known: dict[str, Mapping[str, Row]] = {}

    def of(self, suite: str) -> Mapping[str, Row]:
        if suite not in self._known:
            path = suite_file(self._ref.kind, suite) if suite else "train.jsonl"
            entry = next((entry for entry in self._manifest.files if entry.path == path), None)
            if entry is None:
                raise DataError(f"{self._ref.short} holds no {path}: its completions cannot be judged again")
            rows = load_rows(local_file(self._store, self._manifest, entry, self._cache))
            self._known[suite] = {row.id: row for row in rows}
        return self._known[suite]


def _asked(rows: Mapping[str, Row], record: Mapping[str, Any], artifact: str) -> Row:
    name = record["prompt_id"] if "prompt_id" in record else record["problem_id"]
    if name not in rows:
        raise DataError(
            f"{artifact} answers problem {name!r}, which is not among its problems: it cannot be judged again"
        )
    return rows[name]


def _verdicts(texts: Sequence[str], rows: Sequence[Row], pool: ScoringPool) -> Iterator[tuple[str | None, str | None]]:
    """Verdict and extracted answer of every text; the same answer to the same problem is judged once."""
    keys = [(row.id, text) for text, row in zip(texts, rows, strict=True)]
    scores = {key: quick_score(key[1], row) for key, row in dict(zip(keys, rows, strict=True)).items()}
    slow = {key: row for key, row in dict(zip(keys, rows, strict=True)).items() if scores[key] is None}
    judged = pool.score([Job(text, row) for (_, text), row in slow.items()])
    failed = [score for score in judged if score.verdict is Verdict.INFRA]
    if failed:  # a table of flips is written once: a machine's failure must not stand in it
        raise ScoringError(
            f"{len(failed)} completions could not be judged ({failed[0].detail}); `r1 doctor` tests the sandbox and the "
            "scoring workers"
        )
    scores |= dict(zip(slow, judged, strict=True))
    for key in keys:
        score = scores[key]
        assert score is not None, "the pool has answered"
        yield (None if score.verdict is None else str(score.verdict)), score.extracted
