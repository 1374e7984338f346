"""A small store with an RL stage, what was made from it, and an evaluation, of today and of before, for the tests of the lake."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r1flow.components.core.rollout import Group, Rollout
from r1flow.components.core.schema import Row
from r1flow.components.data.files import dump_rows
from r1flow.components.store.artifact import publish
from r1flow.components.store.manifest import ArtifactRef
from r1flow.components.store.objects import ObjectStore
from r1flow.components.store.rollouts import lake

GOLDS = {"a": "1/2", "b": "12", "c": "7"}
SAID = {
    "a": [("\\boxed{0.5}", "WRONG"), ("\\boxed{3}", "WRONG")],  # an older verifier did not know 0.5
    "b": [("\\boxed{12}", "CORRECT"), ("\\boxed{13}", "CORRECT")],  # and took 13 for 12
    "c": [("\\boxed{8}", "WRONG"), ("7", None)],
}


def rows(names: str) -> list[Row]:
    return [Row(id=n, prompt=n, answer=GOLDS[n], verifier="math", source="test") for n in names]


CURATED: dict[str, Any] = {"config": {"data": {}, "suites": {}, "digests": {}, "names": {}}}


def put(
    store: ObjectStore,
    out: Path,
    kind: str,
    number: int,
    stage: str,
    inputs: dict[str, ArtifactRef],
    config: dict[str, Any] | None = None,
) -> ArtifactRef:
    return publish(
        store,
        out,
        kind=kind,
        fingerprint=f"{number:064x}"[::-1],
        version="1",
        config=config or {},
        inputs=inputs,
        seed=0,
        metrics={},
        provenance={"stage": stage, "run": "run-1"},
    )


def fill(store: ObjectStore, home: Path) -> dict[str, ArtifactRef]:
    """A dataset, suites, RL on it, a selection from its lake, SFT on that, an evaluation; a summary of a second run too."""
    made: dict[str, ArtifactRef] = {}
    suites = home / "suites"
    suites.mkdir(parents=True)
    dump_rows(rows("c"), suites / "exam.jsonl")
    (suites / "quarantine.jsonl").touch()
    made["suites"] = put(store, suites, "suites", 6, "suites", {}, {"config": {"suites": {}, "digests": {}}})
    data = home / "dataset"
    data.mkdir()
    dump_rows(rows("abc"), data / "train.jsonl")
    config = {"config": {"dataset": {"sources": {}}, "digests": {}}}
    made["dataset"] = put(store, data, "dataset", 1, "problems", {"suites": made["suites"]}, config)
    made["rl"] = put(store, _policy(home / "rl"), "rl", 2, "r1_zero", {"data": made["dataset"]})
    inputs = {"from": made["rl"], "problems": made["dataset"]}
    made["selection"] = put(store, _file(home / "selection", "x"), "selection", 3, "chains", inputs)
    made["sft"] = put(store, _file(home / "sft", "model/x"), "sft", 4, "dev1", {"data": made["selection"]})
    inputs = {"model": made["rl"], "suites": made["suites"]}
    made["evaluation"] = put(store, _answers(home / "evaluation"), "evaluation", 5, "evaluate/r1_zero", inputs)
    _second_run(store, made["sft"])
    return made


def fill_former(store: ObjectStore, home: Path) -> dict[str, ArtifactRef]:
    """The same as it was before recipes were graphs: other roles and kinds, and the dataset held the suites."""
    made: dict[str, ArtifactRef] = {}
    data = home / "dataset"
    (data / "eval").mkdir(parents=True)
    dump_rows(rows("abc"), data / "train.jsonl")
    dump_rows(rows("c"), data / "eval" / "exam.jsonl")
    (data / "eval" / "exam.contaminated.json").write_text("{}")
    made["dataset"] = put(store, data, "dataset", 1, "curate", {}, CURATED)
    made["suites"] = made["dataset"]
    made["rl"] = put(store, _policy(home / "rl"), "grpo", 2, "r1_zero", {"dataset": made["dataset"]})
    inputs = {"policy": made["rl"], "dataset": made["dataset"]}
    made["selection"] = put(store, _file(home / "selection", "x"), "selection", 3, "chains", inputs)
    made["sft"] = put(store, _file(home / "sft", "model/x"), "sft", 4, "dev1", {"dataset": made["selection"]})
    inputs = {"model": made["rl"], "dataset": made["dataset"]}
    made["evaluation"] = put(store, _answers(home / "evaluation"), "evaluation", 5, "evaluate/r1_zero", inputs)
    _second_run(store, made["sft"])
    return made


def _policy(out: Path) -> Path:
    lake.write_shard(out / "lake" / lake.shard_name(1, 1), [(1, [group("a"), group("b")])])
    lake.write_shard(out / "lake" / lake.shard_name(2, 2), [(2, [group("c")])])
    return _file(out, "model/x")


def _file(out: Path, name: str) -> Path:
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    (out / name).write_text("x")
    return out


def _answers(out: Path) -> Path:
    out.mkdir()
    table = {"problem_id": ["c", "c"], "sample": [0, 1], "text": [f"<think>x</think>{n}" for n in "78"]}
    pq.write_table(pa.table(table | {"verdict": ["CORRECT", "CORRECT"]}), out / "exam.parquet")
    return out


def _second_run(store: ObjectStore, sft: ArtifactRef) -> None:
    stages = [{"name": "dev1 again", "ref": sft.model_dump()}]
    store.create("runs/run-2/summary.json", json.dumps({"run": "run-2", "stages": stages}).encode())


FILLS = pytest.mark.parametrize("filled", [fill, fill_former], ids=["today", "former"])
"""For tests that hold for stores of either generation."""


def group(name: str) -> Group:
    said = SAID[name]
    rollouts = tuple(
        Rollout(
            prompt_id=name,
            sample=sample,
            prompt_ids=(1, 2),
            ids=tuple(range(3 + sample)),
            logprobs=(0.0,) * (3 + sample),
            finished=True,
            text=f"<think>x</think>{text}",
            reward=None if verdict is None else float(verdict == "CORRECT"),
            rewards={"accuracy": None if verdict is None else float(verdict == "CORRECT")},
            verdict=verdict,
            language=1.0,
            format_ok=True,
            reflections=0,
            policy_version=0,
        )
        for sample, (text, verdict) in enumerate(said)
    )
    return Group(rollouts, (0.5, -0.5) if name == "b" else (0.0, 0.0))
