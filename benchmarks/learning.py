"""What `tiny` learns, for several seeds: the metrics that the documentation quotes.

    python benchmarks/learning.py --seeds 0 1 2 --json out.json

Every seed runs the whole recipe and, beside it, RL from the base for the same number of steps with the language reward
(R1-Zero is the same without it). Prints a line per bound with its metric; exits with 1 when one does not hold.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--home", type=Path, help="where the runs lie; default: a temporary directory")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        home = (arguments.home or Path(temporary)).resolve()
        results = [run_seed(seed, home) for seed in arguments.seeds]
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))
    sys.exit(0 if all(bound["holds"] for result in results for bound in result["bounds"]) else 1)


def run_seed(seed: int, home: Path) -> dict[str, Any]:
    """The recipe and the language control for one seed; prints its metrics as they come."""
    recipe = _r1(home, "tiny", f"seed={seed}")
    control = _r1(home, "tiny-language", f"seed={seed}")
    models = {name: metrics for name, metrics in _evaluations(recipe).items()}
    models["r1_zero + language"] = _evaluations(control)["r1_zero"]
    report = contamination(home, recipe)
    bounds = check(models, report)
    _print(seed, recipe["seconds"], models, report, bounds)
    return {"seed": seed, "seconds": recipe["seconds"], "models": models, "curation": report, "bounds": bounds}


def check(models: dict[str, dict[str, float]], curation: dict[str, Any]) -> list[dict[str, Any]]:
    """Every bound of the acceptance, with its metric."""

    def metric(model: str, name: str) -> float:
        return models[model][f"sums/{name}"]

    base, final = metric("base", "pass_at_1"), metric("r1", "pass_at_1")
    zero, spoken = metric("r1_zero", "pass_at_1"), metric("r1_zero + language", "pass_at_1")
    longer = metric("r1_zero", "length") / metric("base", "length")
    drift, kept = metric("r1_zero", "language"), metric("r1_zero + language", "language")
    ahead, second = final - metric("dev1", "pass_at_1"), _strings(models, "r1") - _strings(models, "dev1")
    majority = metric("base", "cons_at_16") - base
    rows = [
        ("base pass@1 at most 0.35", base, base <= 0.35),
        ("base cons@16 over its pass@1 at least 0.10", majority, majority >= 0.1),
        ("R1-Zero pass@1 at least 0.85", zero, zero >= 0.85),
        ("R1-Zero length over the base's at least 1.5", longer, longer >= 1.5),
        ("language without its reward below 0.6", drift, drift < 0.6),
        ("language with its reward at least 0.95", kept, kept >= 0.95),
        ("pass@1 without and with it within 0.03", abs(zero - spoken), abs(zero - spoken) <= 0.03),
        ("R1 pass@1 at least 0.90", final, final >= 0.9),
        ("R1 pass@1 above Dev1", ahead, ahead > 0),
        ("R1 format at least 0.98", metric("r1", "format"), metric("r1", "format") >= 0.98),
        ("R1 second skill not below Dev1", second, second >= 0),
        ("evaluation problems among training problems", curation["overlap"], curation["overlap"] == 0),
    ]
    return [{"bound": text, "metric": round(float(value), 4), "holds": bool(holds)} for text, value, holds in rows]


def _strings(models: dict[str, dict[str, float]], model: str) -> float:
    return models[model]["strings/pass_at_1"]


def contamination(home: Path, summary: dict[str, Any]) -> dict[str, Any]:
    """What curation dropped, and the overlap that is left, counted again by the problems' own keys."""
    from r1flow.components.data.files import load_rows
    from r1flow.components.data.sources import tiny_key
    from r1flow.components.store.artifact import ArtifactRef, materialize
    from r1flow.components.store.objects import open_store

    refs = {stage["name"]: ArtifactRef.model_validate(stage["ref"]) for stage in summary["stages"]}
    store = open_store(summary["store"])
    directory, suites = (materialize(store, refs[name], home / "cache") for name in ("problems", "suites"))
    train = {tiny_key(row) for row in load_rows(directory / "train.jsonl")}
    held_out = {tiny_key(row) for suite in ("sums", "strings") for row in load_rows(suites / f"{suite}.jsonl")}
    counts = json.loads((directory / "report.json").read_text())["counts"]
    return {**counts, "overlap": len(train & held_out)}


def _r1(home: Path, preset: str, *overrides: str) -> dict[str, Any]:
    """One `r1 run`, as a person starts it."""
    name = "tiny" if preset == "tiny-language" else preset
    extra = ["r1_zero.rewards.language=1.0"] if preset == "tiny-language" else []
    summary = home / f"{preset}-{'-'.join(overrides)}.json"
    home.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "r1flow.cli.main", "run", name, "--json", str(summary)]
    command += ["--only", "r1_zero"] if preset == "tiny-language" else []
    for override in [*overrides, *extra]:
        command += ["--set", override]
    root = Path(__file__).resolve().parents[1]
    environment = {**os.environ, "R1_HOME": str(home), "PYTHONPATH": str(root)}
    subprocess.run(command, check=True, env=environment, cwd=root, stdout=subprocess.DEVNULL)
    result: dict[str, Any] = json.loads(summary.read_text())
    return result


def _evaluations(summary: dict[str, Any]) -> dict[str, dict[str, float]]:
    return {
        stage["name"].removeprefix("evaluate/"): stage["metrics"]
        for stage in summary["stages"]
        if stage["name"].startswith("evaluate/")
    }


def _print(
    seed: int,
    seconds: float,
    models: dict[str, dict[str, float]],
    curation: dict[str, Any],
    bounds: list[dict[str, Any]],
) -> None:
    print(f"\nseed {seed}: {seconds:.0f} s")
    print(f"  {'model':<20} pass@1 cons@16 format language length wait  by terms (2 3 4 5)        strings")
    for name, m in models.items():
        levels = " ".join(f"{m[f'sums/pass_at_1_level_{n}']:.3f}" for n in (2, 3, 4, 5))
        print(
            f"  {name:<20} {m['sums/pass_at_1']:.3f}  {m['sums/cons_at_16']:.3f}   {m['sums/format']:.3f}  "
            f"{m['sums/language']:.3f}    {m['sums/length']:5.1f}  {m['sums/reflection']:.3f} {levels}  "
            f"{_strings(models, name):.3f}"
        )
    print(f"  curation: {curation}")
    for bound in bounds:
        print(f"  {'holds ' if bound['holds'] else 'FAILS '} {bound['bound']:<46} {bound['metric']:.3f}", flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    main()
