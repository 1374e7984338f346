"""What an MLflow server that is down for a whole GRPO stage costs a step, and whether every step is there afterwards.

    python benchmarks/mlflow_down.py [--steps 24] [--repetitions 5]

Runs the R1-Zero stage of `smoke` by turns with a real MLflow server and with that server killed; base, data and certificates
come from a run before. A step's time is the time between two rows of its metrics. At the end the server is started again,
`r1 reindex` sends what it missed, and the curves of all runs are held against the steps.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import itertools

from mlflow.tracking import MlflowClient

from components.tracking.client import find_run
from tests.fakes.mlflow_server import MlflowServer

ROOT = Path(__file__).resolve().parents[1]
METRIC = "reward"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--repetitions", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        server = MlflowServer(home)
        server.start()
        try:
            measure(home, server, options.steps, options.repetitions)
        finally:
            server.kill()


def measure(home: Path, server: MlflowServer, steps: int, repetitions: int) -> None:
    r1(home, server.uri, "run", *settings(2, 0))  # what all repetitions share, and every import once
    runs: dict[str, list[str]] = {"up": [], "down": []}
    before = "up"
    for repetition in range(1, 2 * repetitions + 1):
        state = "up" if repetition % 4 < 2 else "down"  # up, down, down, up: drift of the machine falls on both alike
        if state != before:
            server.start() if state == "up" else server.kill()
        before, summary = state, home / "run.json"
        r1(home, server.uri, "run", *settings(steps, repetition), "--json", str(summary))
        runs[state].append(json.loads(summary.read_text())["run"])
        print(f"{repetition} of {2 * repetitions}: {state}", file=sys.stderr, flush=True)
    if before == "down":
        server.start()
    print(r1(home, server.uri, "reindex").strip())
    client = MlflowClient(server.uri)
    medians: dict[str, list[float]] = {}
    for state, ids in runs.items():
        curves = [client.get_metric_history(find_run(client, f"{run}/r1_zero"), METRIC) for run in ids]
        whole = sum([m.step for m in curve] == list(range(1, steps + 1)) for curve in curves)
        gaps = [[(b.timestamp - a.timestamp) / 1000 for a, b in itertools.pairwise(c)] for c in curves]
        medians[state] = [statistics.median(each) for each in gaps]
        shown = ", ".join(f"{value:.3f}" for value in medians[state])
        print(f"MLflow {state}: median step {shown} s; every step once in {whole} of {len(ids)} runs")
    up, down = (statistics.median(medians[state]) for state in ("up", "down"))
    spread = max(max(values) / min(values) - 1 for values in medians.values())
    print(f"median of {repetitions}: up {up:.3f} s, down {down:.3f} s, {down / up - 1:+.1%}; spread {spread:.1%}")
    if spread > 0.05:
        print("the spread of equal runs is above 5 %: differences below it say nothing")
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")


def settings(steps: int, repetition: int) -> list[str]:
    """Another learning rate in the last digits makes a stage of its own out of the same work."""
    sets = [f"r1_zero.steps={steps}", f"r1_zero.learning_rate={1e-4 + repetition * 1e-9}", "r1_zero.min_pass_rate=0.0"]
    return ["smoke", *(part for setting in ["flow='r1_zero'", *sets] for part in ("--set", setting))]


def r1(home: Path, uri: str, *arguments: str) -> str:
    environment = {**os.environ, "R1_HOME": str(home / "home"), "R1_MLFLOW_URI": uri, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "flows.cli", *arguments]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout[-2000:] + done.stderr[-2000:])
    return done.stdout


if __name__ == "__main__":
    main()
