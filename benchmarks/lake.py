"""Questions to a lake of one million rollouts.

    python benchmarks/lake.py [--rollouts 1000000] [--threads 2]

Makes a store with four RL stages, their rollouts (chains of 20 to 400 tokens, 64 in the middle, 16 for each of 32 prompts
a step) and the verdicts of a rescore, in a temporary directory; no model is asked. Each question is asked three times in a
lake opened anew, and once as a process by ``r1 lake query``. Opening is part of the time: manifests, views, closed doors.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from r1flow.components.evals.lake.query import Answer, open_lake
from r1flow.components.evals.lake.rescore import SCHEMA as RESCORED
from r1flow.components.evals.lake.tables import sources
from r1flow.components.store.artifact import publish
from r1flow.components.store.manifest import ArtifactRef
from r1flow.components.store.objects import ObjectStore, open_store
from r1flow.components.store.rollouts import lake

STAGES = 4
PROMPTS, SAMPLES, STEPS_PER_SHARD = 32, 16, 20
VERDICTS = np.array(["CORRECT", "WRONG", "UNPARSEABLE", "TIMEOUT"])
QUESTIONS = {
    "which rows were never solved": (
        "SELECT prompt_id, count(*) AS asked FROM rollouts GROUP BY prompt_id "
        "HAVING count(*) FILTER (verdict = 'CORRECT') = 0 ORDER BY asked DESC, prompt_id"
    ),
    "reward by length decile": (
        "SELECT decile, min(num_tokens) AS shortest, max(num_tokens) AS longest, avg(reward) AS reward FROM "
        "(SELECT reward, num_tokens, ntile(10) OVER (ORDER BY num_tokens) AS decile FROM rollouts) "
        "GROUP BY decile ORDER BY decile"
    ),
    "verdict flips after a rescore": (
        "SELECT artifact, before, after, count(*) AS flips FROM rescored WHERE before IS DISTINCT FROM after "
        "GROUP BY ALL ORDER BY flips DESC"
    ),
    "the flips that were trained on, with their texts": (
        "SELECT r.stage, r.step, r.advantage, s.before, s.after, r.text FROM rescored s JOIN rollouts r ON "
        "(r.artifact = s.artifact AND r.step = s.step AND r.prompt_id = s.problem_id AND r.sample = s.sample) "
        "WHERE s.before IS DISTINCT FROM s.after AND r.advantage <> 0 ORDER BY abs(r.advantage) DESC LIMIT 20"
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rollouts", type=int, default=1_000_000)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        store = open_store((home / "store").as_uri())
        started = time.monotonic()
        for stage in range(STAGES):
            make_stage(store, home, stage, options.rollouts // STAGES)
        files = sources(store, home / "cache")
        size = sum(source.path.stat().st_size for source in files) / 1e6
        print(f"{options.rollouts:,} rollouts, {size:,.0f} MB of Parquet, made in {time.monotonic() - started:.0f} s")
        print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, {options.threads} threads of DuckDB")
        for question, sql in QUESTIONS.items():
            tries = [ask(store, home, sql, options.threads) for _ in range(3)]
            process = as_process(home, sql)
            rows = len(tries[0][1].rows)
            shown = ", ".join(f"{seconds:.2f}" for seconds, _ in tries)
            print(f"  {question}: {shown} s ({rows:,} rows); as a process {process:.2f} s", flush=True)


def ask(store: ObjectStore, home: Path, sql: str, threads: int) -> tuple[float, Answer]:
    started = time.monotonic()
    with open_lake(sources(store, home / "cache"), threads=threads) as opened:
        answer = opened.ask(sql)
    return time.monotonic() - started, answer


def as_process(home: Path, sql: str) -> float:
    environment = {**os.environ, "R1_HOME": str(home), "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    started = time.monotonic()
    command = [sys.executable, "-m", "r1flow.cli.main", "lake", "query", sql]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=120)
    return time.monotonic() - started


def make_stage(store: ObjectStore, home: Path, stage: int, rollouts: int) -> None:
    """One RL stage and the rescore of its completions, as artifacts."""
    rng = np.random.default_rng(stage)
    out = home / f"out-{stage}"
    (out / "lake").mkdir(parents=True)
    steps = max(1, rollouts // (PROMPTS * SAMPLES))
    verdicts = []
    for first in range(1, steps + 1, STEPS_PER_SHARD):
        last = min(first + STEPS_PER_SHARD - 1, steps)
        shard = make_shard(rng, first, last)
        pq.write_table(shard, out / "lake" / lake.shard_name(first, last), compression="zstd")
        verdicts.append(shard.select(["step", "prompt_id", "sample", "advantage", "verdict"]))
    ref = published(store, out, "rl", stage, {})
    judged = pa.concat_tables(verdicts)
    before = np.asarray(judged["verdict"].to_pylist())
    after = np.where((rng.random(len(before)) < 0.002) & (before == "WRONG"), "CORRECT", before)
    columns = [
        pa.array(np.full(len(before), ref.short)),
        pa.nulls(len(before), pa.string()),
        *(judged[name] for name in ("step", "prompt_id", "sample", "advantage")),
        pa.array(before),
        pa.array(after),
        pa.nulls(len(before), pa.string()),
    ]
    rescored = home / f"rescored-{stage}"
    rescored.mkdir()
    pq.write_table(pa.table(columns, schema=RESCORED), rescored / "rescored.parquet", compression="zstd")
    published(store, rescored, "rescore", stage, {"verifier": "0" * 64})


def published(store: ObjectStore, out: Path, kind: str, stage: int, config: dict[str, str]) -> ArtifactRef:
    return publish(
        store,
        out,
        kind=kind,
        fingerprint=f"{stage + 1:064x}"[::-1],
        version="1",
        config=config,
        inputs={},
        seed=0,
        metrics={},
        provenance={"stage": f"stage-{stage}", "run": f"run-{stage // 2}"},
    )


def make_shard(rng: np.random.Generator, first: int, last: int) -> pa.Table:
    """The rollouts of some steps: prompts drawn from 8,000, of which one in fifty is beyond the policy."""
    rows = (last - first + 1) * PROMPTS * SAMPLES
    prompts = np.repeat(rng.integers(0, 8000, rows // SAMPLES), SAMPLES)
    lengths = np.clip(rng.lognormal(np.log(64), 0.6, rows), 20, 400).astype(np.int32)
    rates = np.where(prompts % 50 == 0, 0.0, (prompts % 97) / 97)
    right = rng.random(rows) < rates
    verdict = np.where(right, "CORRECT", VERDICTS[1 + rng.integers(0, 3, rows) * (rng.random(rows) < 0.05)])
    formed = rng.random(rows) < 0.97
    reward = right + 1.0 * formed
    grouped = reward.reshape(-1, SAMPLES)
    advantage = (grouped - grouped.mean(1, keepdims=True)) / (grouped.std(1, keepdims=True) + 1e-4)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    letters = rng.integers(97, 123, int(offsets[-1]) * 4, dtype=np.uint8)
    text = pa.StringArray.from_buffers(rows, pa.py_buffer((offsets * 4).astype(np.int32)), pa.py_buffer(letters))
    ids = pa.array(rng.integers(0, 150_000, int(offsets[-1]), dtype=np.int32))
    logprobs = pa.array((-rng.exponential(0.3, int(offsets[-1]))).astype(np.float32))
    names = np.array(["accuracy", "format"])
    return pa.table(
        [
            pa.array(np.repeat(np.arange(first, last + 1, dtype=np.int32), PROMPTS * SAMPLES)),
            pa.array(np.repeat(np.arange(first - 1, last, dtype=np.int32), PROMPTS * SAMPLES)),
            pa.array([f"problem-{number:05d}" for number in prompts]),
            pa.array(np.tile(np.arange(SAMPLES, dtype=np.int32), rows // SAMPLES)),
            pa.ListArray.from_arrays(
                pa.array(np.arange(rows + 1, dtype=np.int32) * 8), pa.array(np.zeros(8 * rows, np.int32))
            ),
            pa.ListArray.from_arrays(pa.array(offsets), ids),
            pa.ListArray.from_arrays(pa.array(offsets), logprobs),
            pa.array(lengths),
            pa.array(lengths < 400),
            text,
            pa.array(reward),
            pa.MapArray.from_arrays(
                pa.array(np.arange(rows + 1, dtype=np.int32) * 2),
                pa.array(np.tile(names, rows)),
                pa.array(np.column_stack([right, formed]).astype(np.float64).ravel()),
            ),
            pa.array(verdict),
            pa.array(rng.random(rows)),
            pa.array(formed),
            pa.array(rng.integers(0, 2, rows, dtype=np.int32)),
            pa.array(advantage.ravel()),
        ],
        schema=lake.SCHEMA,
    )


if __name__ == "__main__":
    main()
