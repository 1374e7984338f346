"""What an MLflow server that is down for a whole GRPO stage costs a step, and whether every step is there afterwards.

    python benchmarks/mlflow_down.py [--steps 24] [--repetitions 5]

Runs the R1-Zero stage of `smoke` with a real MLflow server and with that server killed (up, down, down, up); base, data and
certificates come from a run before. A step's time is the time between two rows of its metrics. At the end the server is
started again, what it missed is sent as by `r1 reindex`, and the curves of all runs are held against the steps.
"""

import argparse
import itertools
import os
import statistics
import sys
import tempfile
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mlflow.tracking import MlflowClient

from r1flow.components.recipe.presets import load_recipe
from r1flow.components.recipe.settings import Settings
from r1flow.components.store.objects import open_store
from r1flow.components.tracking.client import find_run
from r1flow.components.tracking.reindex import reindex
from r1flow.components.tracking.runs import Tracking
from r1flow.tasks.prefect_api import orchestrator
from tests.fakes.mlflow_server import MlflowServer

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
    settings = Settings(home=home / "home", mlflow_uri=server.uri)
    settings.prepare()
    runs: dict[str, list[str]] = {"up": [], "down": []}
    with orchestrator(settings.home / "prefect"):
        train(settings, steps=2, repetition=0)  # what all repetitions share, and every import once
        before = "up"
        for repetition in range(1, 2 * repetitions + 1):
            state = "up" if repetition % 4 < 2 else "down"  # drift of the machine falls on both alike
            if state != before:
                if state == "up":
                    server.start()
                    Tracking(settings.tracking_uri, settings.experiment, settings.outboxes).recover()  # unmeasured
                else:
                    server.kill()
            before = state
            runs[state].append(train(settings, steps, repetition))
            print(f"{repetition} of {2 * repetitions}: {state}", file=sys.stderr, flush=True)
    if before == "down":
        server.start()
    store = open_store(settings.store_uri)
    done = reindex(store, server.uri, settings.experiment, outboxes=settings.outboxes, cache=settings.cache)
    print(f"MLflow shows {done.stages} stages of {done.runs} runs")
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


def train(settings: Settings, steps: int, repetition: int) -> str:
    """The stage under Prefect, store and MLflow; the run's id. Another learning rate in the last digits makes it a new one."""
    from r1flow.flows.rl import rl
    from r1flow.tasks.session import session

    rate = 1e-4 + repetition * 1e-9
    sets = [f"r1_zero.steps={steps}", f"r1_zero.learning_rate={rate}", "r1_zero.min_pass_rate=0.0"]
    recipe = load_recipe("smoke", sets)
    with session(recipe, settings) as run:
        rl("r1_zero")
        return run.run_id


if __name__ == "__main__":
    main()
