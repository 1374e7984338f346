"""A small store with an RL stage, what was made from it, and an evaluation, for the tests of the lake."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

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
    """dataset, grpo on it, a selection from its lake, sft on that, and an evaluation; a summary of a second run too."""
    made: dict[str, ArtifactRef] = {}
    out = home / "dataset"
    (out / "eval").mkdir(parents=True)
    dump_rows(rows("abc"), out / "train.jsonl")
    dump_rows(rows("c"), out / "eval" / "exam.jsonl")
    (out / "eval" / "exam.contaminated.json").write_text("{}")
    made["dataset"] = put(store, out, "dataset", 1, "curate", {}, CURATED)
    out = home / "grpo"
    lake.write_shard(out / "lake" / lake.shard_name(1, 1), [(1, [group("a"), group("b")])])
    lake.write_shard(out / "lake" / lake.shard_name(2, 2), [(2, [group("c")])])
    made["grpo"] = put(store, out, "grpo", 2, "r1_zero", {"dataset": made["dataset"]})
    for number, (kind, inputs) in enumerate((("selection", {"policy": "grpo"}), ("sft", {"dataset": "selection"})), 3):
        out = home / kind
        out.mkdir()
        (out / "x").write_text("x")
        made[kind] = put(store, out, kind, number, kind, {name: made[of] for name, of in inputs.items()})
    out = home / "evaluation"
    out.mkdir()
    table = {"problem_id": ["c", "c"], "sample": [0, 1], "text": [f"<think>x</think>{n}" for n in "78"]}
    pq.write_table(pa.table(table | {"verdict": ["CORRECT", "CORRECT"]}), out / "exam.parquet")
    made["evaluation"] = put(
        store, out, "evaluation", 5, "evaluate/r1_zero", {"model": made["grpo"], "dataset": made["dataset"]}
    )
    stages = [{"name": "dev1 again", "ref": made["sft"].model_dump()}]
    store.create("runs/run-2/summary.json", json.dumps({"run": "run-2", "stages": stages}).encode())
    return made


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
