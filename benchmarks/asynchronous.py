"""Asynchronous rollouts beside synchronous ones: what `tiny`'s R1-Zero learns with a staleness bound k, and how stale it was.

    python benchmarks/asynchronous.py [--staleness 0 1] [--seeds 0] [--steps 80] [--sampler transformers] [--json out.json]

Runs the stage `r1_zero` of `tiny` once per k and seed, with the same number of steps. Prints the reward over the last ten
steps, the evaluation's pass@1, the share of completions by staleness as the lake has it, and seconds. k = 0 samples
in the trainer's process, k > 0 in one of its own, so two cores are needed for the seconds to mean anything. Exits with 1 where
a completion is older than k, or a reward differs by more than 0.03 from k = 0.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

WITHIN = 0.03
LAST = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--staleness", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--sampler", choices=["transformers", "vllm"], default="transformers")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results: list[dict[str, Any]] = []
    holds = True
    print("seed  k  reward, first and last ten steps   pass@1   stage seconds   completions by staleness")
    with tempfile.TemporaryDirectory() as home:
        for seed in options.seeds:
            synchronous = None
            for staleness in sorted(options.staleness):
                found = run(Path(home), seed, staleness, options)
                results.append(found)
                synchronous = found if staleness == 0 else synchronous
                apart = found["reward"] - synchronous["reward"] if synchronous else 0.0
                holds = holds and abs(apart) <= WITHIN and max(found["by_staleness"]) <= staleness
                print(
                    f"{seed:4}  {staleness}  {found['reward_before']:7.3f} -> {found['reward']:.3f} ({apart:+.3f})"
                    f"{'':10}{found['pass_at_1']:6.3f}   {found['seconds']:13.1f}   {found['by_staleness']}",
                    flush=True,
                )
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    print(f"{'holds' if holds else 'FAILS'}: no completion older than k, reward within {WITHIN} of k = 0")
    sys.exit(0 if holds else 1)


def run(home: Path, seed: int, staleness: int, options: argparse.Namespace) -> dict[str, Any]:
    """One run, as a person starts it, and what it left in its history and its lake."""
    from r1flow.components.store.rollouts import lake

    stages = _r1(
        home,
        f"seed={seed}",
        f"r1_zero.steps={options.steps}",
        f"r1_zero.staleness={staleness}",
        f"run.sampler='{options.sampler}'",
    )
    artifact = Path(urlparse(stages["r1_zero"]["ref"]["uri"]).path)
    (history,) = artifact.rglob("history.jsonl")
    rewards = [row["reward"] for row in map(json.loads, history.read_text().splitlines()) if row["step"]]
    rows = lake.read(history.parent / "lake", ["policy_version"])
    return {
        "seed": seed,
        "staleness": staleness,
        "reward_before": sum(rewards[:LAST]) / LAST,
        "reward": sum(rewards[-LAST:]) / LAST,
        "pass_at_1": stages["evaluate/r1_zero"]["metrics"]["sums/pass_at_1"],
        "seconds": stages["r1_zero"]["seconds"],
        "by_staleness": dict(sorted(Counter(row["step"] - 1 - row["policy_version"] for row in rows).items())),
        "rewards": rewards,
    }


def _r1(home: Path, *overrides: str) -> dict[str, dict[str, Any]]:
    """The stages of one `r1 run tiny`, by name."""
    summary = home / "summary.json"
    command = [sys.executable, "-m", "r1flow.cli.main", "run", "tiny", "--only", "r1_zero", "--json", str(summary)]
    for override in overrides:
        command += ["--set", override]
    root = Path(__file__).resolve().parents[1]
    environment = {**os.environ, "R1_HOME": str(home), "PYTHONPATH": str(root)}
    subprocess.run(command, check=True, env=environment, cwd=root, stdout=subprocess.DEVNULL)
    return {stage["name"]: stage for stage in json.loads(summary.read_text())["stages"]}


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    main()
