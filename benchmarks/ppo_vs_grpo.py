"""PPO beside GRPO on `tiny`'s R1-Zero: one base model, the same problems, rewards, steps and seed, algorithm for algorithm.

    python benchmarks/ppo_vs_grpo.py [--steps 80] [--seed 0] [--set kl_weight=0.001] [--plot curves.svg] [--json out.json]

Every run is the recipe's own program in a process of its own, one after the other. Prints a table in Markdown, and draws
the reward over steps. Parameters and optimizer states are counted in the last checkpoint, which holds what the program has
in memory; peak memory is the process's resident set, torch included. Seconds are medians over the steps.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

KINDS = {
    "GRPO": {"algorithm": "grpo"},
    "PPO, lambda 1.0": {"algorithm": "ppo"},
    "PPO, lambda 0.95": {"algorithm": "ppo", "ppo": {"lam": 0.95}},
}
COLOURS = ("#0a5c8a", "#c2541a", "#7a7a7a")
TENSORS = {"policy": "model", "value model": "value_model", "reference": "reference"}
LAST = 10
"""Steps that closing figures are averaged over."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", nargs="*", default=[], help="further settings of the stage, for all runs")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--home", type=Path, help="where the runs lie; default: a temporary directory")
    parser.add_argument("--kind", help=argparse.SUPPRESS)  # train this one here, print JSON
    options = parser.parse_args()
    if options.kind:
        print(json.dumps(train(options)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        home = (options.home or Path(temporary)).resolve()
        curate(home, options.seed)
        found = {kind: run_apart(kind, home) for kind in options.kinds}
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    if options.plot:
        options.plot.parent.mkdir(parents=True, exist_ok=True)
        options.plot.write_text(plot(found), encoding="utf-8")
    print(table(found))


def curate(home: Path, seed: int) -> None:
    """The recipe's problems, below ``home/problems``, with those of its suites kept out."""
    from r1flow.components.programs import curate as program
    from r1flow.components.programs import suites
    from r1flow.components.recipe.presets import load_recipe

    recipe = load_recipe("tiny")
    held_out = {name: {"source": suite.source.model_dump(mode="json")} for name, suite in recipe.suites.items()}
    suites.main(spec(home, "suites", {"suites": held_out}, seed))
    config = {"dataset": recipe.datasets["problems"].model_dump(mode="json")}
    program.main(spec(home, "problems", config, seed, inputs={"suites": str(home / "suites")}))


def spec(home: Path, name: str, config: dict[str, Any], seed: int, **more: Any) -> dict[str, Any]:
    """A program's input, with everything below ``home``; its output is ``home/name``."""
    from r1flow.components.recipe.presets import load_recipe

    recipe = load_recipe("tiny")
    parts = {"prompt": recipe.prompt_of("base"), "language": recipe.language_of("base"), "run": recipe.run}
    shared = {name: part.model_dump(mode="json") for name, part in parts.items()}
    (home / f"{name}-work").mkdir(parents=True, exist_ok=True)
    places = {"out": str(home / name), "work": str(home / f"{name}-work"), "store": (home / "store").as_uri()}
    shared["run"]["sampler"] = "transformers"
    return {"stage": name, "seed": seed, "config": config, "checkpoints": name} | shared | places | more


def run_apart(kind: str, home: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, *sys.argv[1:], "--home", str(home), "--kind", kind]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=7200)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"{kind}: {sum(found['seconds']):.0f} s, reward {closing(found, 'reward'):.3f}", file=sys.stderr, flush=True)
    return found


def train(options: argparse.Namespace) -> dict[str, Any]:
    """One algorithm from the base, in this process."""
    from r1flow.components.programs import rl
    from r1flow.components.recipe.presets import load_recipe
    from r1flow.components.recipe.references import with_roles
    from r1flow.components.store.models import locate_model

    home, name = options.home, options.kind.replace(", ", "-").replace(" ", "-").lower()
    settings = [f"r1_zero.{setting}" for setting in [f"steps={options.steps}", *options.set]]
    settings += [f"r1_zero.algorithm={KINDS[options.kind]['algorithm']}"]
    settings += [f"r1_zero.ppo.{key}={value}" for key, value in dict(KINDS[options.kind].get("ppo", {})).items()]
    recipe = load_recipe("tiny", settings)
    base = home / "base"
    base.mkdir(exist_ok=True)
    if not (base / "model").exists():
        (base / "model").symlink_to(locate_model(recipe.models["base"].source))
    config, roles = with_roles(recipe.stages["r1_zero"])
    inputs = {role: str(home / part) for role, part in roles.items()}
    raw = spec(home, name, config, options.seed, inputs=inputs)
    rl.main(raw)
    rows = [json.loads(line)["metrics"] for line in (Path(raw["work"]) / "metrics.jsonl").read_text().splitlines()][1:]
    curves = {key: [row[key] for row in rows] for key in ("reward", "pass_at_1", "length")}
    times = {"seconds": "step", "sampling": "sample", "update": "update"}
    figures = {key: [row[key] for row in rows] for key in rows[0] if key.startswith("value/")}
    return {
        **curves,
        **figures,
        **{key: [row[f"time/{value}_s"] for row in rows] for key, value in times.items()},
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "numbers": counts(home, name),
    }


def counts(home: Path, name: str) -> dict[str, int]:
    """Numbers in the tensors of the last checkpoint: weights by role, and AdamW's moments."""
    import math

    from safetensors import safe_open

    def numbers(file: str) -> int:
        [path] = [*sorted((home / "store").glob(f"**/{name}/state/**/{file}.safetensors"))[-1:]] or [None]
        if path is None:
            return 0
        with safe_open(path, framework="numpy") as tensors:
            return sum(math.prod(tensors.get_slice(key).get_shape()) for key in tensors.keys())  # noqa: SIM118

    weights = {role: numbers(file) for role, file in TENSORS.items()}
    return weights | {"optimizer states": numbers("optimizer") + numbers("value_optimizer")}


def closing(found: dict[str, Any], key: str) -> float:
    return statistics.mean(found[key][-LAST:])


def table(found: dict[str, dict[str, Any]]) -> str:
    """Figures in rows, algorithms in columns."""

    def reached(run: dict[str, Any]) -> str:
        values = run["pass_at_1"]
        return next((str(step) for step, value in enumerate(values, 1) if value >= 0.9), "never")

    def megabytes(run: dict[str, Any]) -> str:
        return f"{run['peak'] / 2**20:.0f}"

    names = [*TENSORS, "optimizer states"]
    steps = len(next(iter(found.values()))["reward"])
    rows = {
        **{f"numbers in memory: {name}": [f"{run['numbers'][name]:,}" for run in found.values()] for name in names},
        "together": [f"{sum(run['numbers'].values()):,}" for run in found.values()],
        "peak memory of the process, MiB": [megabytes(run) for run in found.values()],
        "seconds per step": [f"{statistics.median(run['seconds']):.3f}" for run in found.values()],
        "of these, update": [f"{statistics.median(run['update']):.3f}" for run in found.values()],
        f"reward, last {LAST} steps": [f"{closing(run, 'reward'):.3f}" for run in found.values()],
        f"pass@1, last {LAST} steps": [f"{closing(run, 'pass_at_1'):.3f}" for run in found.values()],
        f"tokens, last {LAST} steps": [f"{closing(run, 'length'):.1f}" for run in found.values()],
        "first step with pass@1 0.9": [reached(run) for run in found.values()],
        "value model: explained variance": [
            f"{closing(run, 'value/explained_variance'):.2f}" if "value/loss" in run else "" for run in found.values()
        ],
    }
    lines = [f"{steps} steps each. Source: `benchmarks/ppo_vs_grpo.py`.", "", f"| | {' | '.join(found)} |"]
    lines += ["|---|" + "---:|" * len(found)]
    lines += [f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()]
    return "\n".join(lines)


def plot(found: dict[str, dict[str, Any]]) -> str:
    """Reward and response length over steps as one SVG; the same figures give the same bytes."""
    import io

    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "r1flow", "font.size": 9}):
        figure = Figure(figsize=(8, 2.9), layout="constrained")
        panels = figure.subplots(1, 2)
        for axes, key, title in zip(panels, ("reward", "length"), ("reward", "tokens per completion"), strict=True):
            for colour, (kind, run) in zip(COLOURS, found.items(), strict=False):
                axes.plot(range(1, len(run[key]) + 1), run[key], label=kind, color=colour, linewidth=1.4)
            axes.set_title(title, fontsize=9)
            axes.set_xlabel("step")
            axes.set_ylim(bottom=0)
            axes.grid(axis="y", color="#dddddd", linewidth=0.6)
            axes.spines[["top", "right"]].set_visible(False)
        panels[0].legend(frameon=False, loc="lower right")
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    main()
