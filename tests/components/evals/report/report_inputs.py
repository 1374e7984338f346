"""A run's artifacts in miniature: real files in the real formats, figures made up along the recipe's usual story."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from r1flow.components.core.rollout import Group, Rollout
from r1flow.components.core.schema import Row
from r1flow.components.core.seeds import python_rng
from r1flow.components.costs.bill import Rate, Spent, stage_bill, total_bill
from r1flow.components.costs.check import Check
from r1flow.components.data.files import dump_rows
from r1flow.components.data.tinyworld.problems import (
    Problem,
    make_problem,
    problem_key,
    string_thought,
    sum_steps,
    write_step,
)
from r1flow.components.evals.stats import cons_at_k, pass_at_1, pass_at_k
from r1flow.components.programs.evaluate import ANSWERS
from r1flow.components.recipe.conformance import conformance
from r1flow.components.recipe.presets import load_recipe
from r1flow.components.store.rollouts.lake import shard_name, write_shard

SAMPLES = {"sums": 8, "strings": 4}
# By model: share of thoughts, of right steps, of letters in thoughts, of answers right on the strings.
SKILL = {
    "base": (0.45, 0.70, 0.42, 0.87),
    "r1_zero": (0.99, 0.985, 0.78, 0.83),
    "dev1": (0.99, 0.90, 0.02, 0.84),
    "dev2": (1.00, 0.985, 0.0, 0.80),
    "dev3": (1.00, 0.97, 0.0, 0.97),
    "r1": (1.00, 0.99, 0.0, 0.98),
    "student": (0.30, 0.55, 0.45, 0.62),
    "distilled": (1.00, 0.94, 0.0, 0.90),
    "student_rl": (0.90, 0.80, 0.55, 0.66),
}
RL = {"r1_zero": ("base", 60, 2), "dev2": ("dev1", 40, 3), "r1": ("dev3", 40, 3), "student_rl": ("student", 60, 3)}
SFT = {"dev1": 32, "dev3": 190, "distilled": 250}


def full_run(root: Path, *, problems: int = 24, steps: float = 1.0) -> tuple[dict[str, Path], dict[str, Any]]:
    """Every stage of a full run below ``root``: directories by stage name, and the notes. ``steps`` scales the histories."""
    inputs = {"problems": curation(root / "problems"), "general": demonstrations(root / "general")}
    for model in SKILL:
        (root / model).mkdir(parents=True, exist_ok=True)
        inputs[model] = root / model
        inputs[f"evaluate/{model}"] = evaluation(root / "evaluate" / model, model, problems=problems)
    for stage, (start, num, rewards) in RL.items():
        reinforcement(root / stage, stage, start, max(2, round(num * steps)), rewards)
    for stage, num in SFT.items():
        fine_tuning(root / stage, max(2, round(num * steps)))
    inputs["chains"] = selection(root / "chains", seen=30720, good=1911, selected=256, general=0)
    inputs["teaching"] = selection(root / "teaching", seen=20480, good=8264, selected=3000, general=1000)
    return inputs, notes(inputs)


def notes(inputs: dict[str, Path]) -> dict[str, Any]:
    recipe = load_recipe("tiny")
    graph = recipe.graph
    seconds = {
        "problems": 3.1,
        "r1_zero": 71.4,
        "dev2": 52.6,
        "r1": 55.9,
        "student_rl": 38.2,
        "dev3": 41.0,
        "distilled": 33.7,
    }
    stages = []
    for name in inputs:
        kind = graph.nodes[name].kind.artifact
        fingerprint = f"{python_rng(0, name).getrandbits(256):064x}"
        spent = seconds.get(name, 6.4 if kind == "evaluation" else 1.2)
        uri = f"s3://models/r1/artifacts/{kind}/{fingerprint}"
        reused = name in ("problems", "base")
        stages.append(
            {"name": name, "kind": kind, "fingerprint": fingerprint, "uri": uri, "reused": reused, "seconds": spent}
        )
    return {
        "run": "7f3a9c52e1b84d0e8d1c",
        "recipe": "tiny",
        "titles": {name: recipe.title(name) for name in graph.nodes if name in inputs},
        "main_line": graph.main_line(),
        "starts": {name: graph.root(name) for name in graph.models()},
        "rivals": graph.rivals(),
        "description": "The whole R1 recipe on two cores, with a model of 200 thousand parameters",
        "seed": 0,
        "champions": [
            {
                "model": "r1-tiny",
                "promoted": True,
                "reasons": [
                    "pass@1 0.978 (at least 0.900)",
                    "format 1.000 (at least 0.980)",
                    "there is no champion to compare with",
                ],
                "uri": stages[-1]["uri"],
                "version": 1,
            },
            {
                "model": "r1-tiny-student",
                "promoted": False,
                "reasons": ["pass@1 0.640 (at least 0.700)"],
                "uri": None,
                "version": None,
            },
        ],
        "stages": stages,
        "cost": cost(),
        "plan": [
            asdict(Check("r1_zero", 0.2, 0.21, 1_638_400.0, 400_000.0, 3.0, 3.1, None, 81.0)),
            asdict(Check("dev2", 0.2, 0.16, 1_638_400.0, 450_000.0, 3.6, 3.7, 66.0, 60.0)),
        ],
        "conformance": [asdict(line) for line in conformance(recipe)],
    }


def cost() -> dict[str, Any]:
    """A bill of two stages on one core at 4 cents an hour and 10 watts."""
    rate = Rate(0.04, 10.0)
    zero = Spent("cpu", 1, 90.0, {"sample": 36.0, "score": 1.0, "update": 45.0, "sync": 0.5}, 1e6, 1e6)
    lines = [stage_bill("r1_zero", zero, rate, 66.0), stage_bill("dev1", Spent("cpu", 1, 9.0), rate)]
    together = total_bill(lines, 66.0)
    return {
        "device": "cpu",
        "price_per_device_hour": 0.04,
        "watts": 10.0,
        "suite": "sums",
        "stages": lines,
        "together": together,
    }


def curation(path: Path) -> Path:
    path.mkdir(parents=True)
    counts = {"read": 5200, "quarantined": 3, "duplicates": 214, "contaminated": 37, "kept": 4946, "evaluation": 352}
    rng = Random(1)
    pairs = []
    for number in range(counts["contaminated"]):
        problem = make_problem(rng, "sum", 2)
        shared = problem_key("sum", problem.prompt)
        pairs.append(
            {"train_id": f"sum-2-{number:05d}", "eval_id": f"sums-sum-2-{number:05d}", "rule": "key", "shared": shared}
        )
    duplicates = [{"id": "sum-2-00031", "duplicate_of": "sum-2-00007"}]
    (path / "report.json").write_text(json.dumps({"counts": counts, "duplicates": duplicates, "contaminated": pairs}))
    dump_rows(training_rows(counts["kept"]), path / "train.jsonl")
    bad = {"source": "more.jsonl", "line": 7, "reason": "not JSON", "excerpt": "{<b>}"}
    (path / "quarantine.jsonl").write_text(json.dumps(bad) + "\n")
    (path / "contaminated.json").write_text(json.dumps({"sums": {}, "strings": {}}))
    return path


def demonstrations(path: Path) -> Path:
    """A second dataset, of completions to learn from; some of its rows still meet problems of the strings."""
    path.mkdir(parents=True)
    counts = {"read": 90, "quarantined": 0, "duplicates": 4, "contaminated": 0, "kept": 86, "evaluation": 352}
    suites = {"sums": {"problems": 256}, "strings": {"problems": 96}}
    report = {"counts": counts, "suites": suites, "duplicates": [], "contaminated": []}
    (path / "report.json").write_text(json.dumps(report))
    dump_rows([row.model_copy(update={"completion": "1"}) for row in training_rows(86)], path / "sft.jsonl")
    (path / "quarantine.jsonl").touch()
    met = {"sums": {}, "strings": {"strings-string-3-00000": "variant", "strings-string-4-00001": "variant"}}
    (path / "contaminated.json").write_text(json.dumps(met))
    return path


def training_rows(num: int) -> list[Row]:
    """Sums and strings of four levels under two licences."""
    return [
        Row(
            id=f"row-{i}",
            prompt="1+" * (i % 40) + "1",
            answer="1",
            verifier="exact",
            skill="string" if i % 5 == 0 else "sum",
            level=2 + i % 4,
            source="tinyworld",
            licence="Apache-2.0" if i % 5 else None,
        )
        for i in range(num)
    ]


def selection(path: Path, *, seen: int, good: int, selected: int, general: int) -> Path:
    path.mkdir(parents=True)
    rest = seen - good
    why = {"not_correct": rest // 5, "malformed": rest // 20, "unreadable": rest // 3, "repeated": rest // 4}
    why["enough_of_problem"] = rest - sum(why.values())
    report = {"seen": seen, "good": good, **why, "selected": selected, "general": general}
    (path / "report.json").write_text(json.dumps(report, indent=1, sort_keys=True))
    return path


def reinforcement(path: Path, stage: str, start: str, steps: int, rewards: int) -> None:
    """A history that goes from ``start``'s figures to the stage's own, and a lake of two small steps."""
    rng = python_rng(0, "history", stage)
    (begin, end) = (_expected(start), _expected(stage))
    lines = []
    for step in range(steps + 1):
        way = 1 - math.exp(-6 * step / steps)
        now = {k: max(0.0, begin[k] + (end[k] - begin[k]) * way + rng.gauss(0, 0.012) * (k != "length")) for k in begin}
        shares = {k: min(1.0, now[k]) for k in ("pass_at_1", "format", "language")}
        parts = dict(zip(("accuracy", "format", "language"), shares.values(), strict=True))
        row = {"reward": sum(list(parts.values())[:rewards]), "length": now["length"], "truncated": 0.001, **shares}
        row |= {"reflection": now["reflection"], "groups_without_signal": 0.05 + 0.7 * way}
        row |= {f"rewards/{name}/mean": value for name, value in parts.items()}
        if step == 0:
            row = {f"preflight/{key}": value for key, value in row.items()}
        else:
            row |= {
                "entropy": 0.55 - 0.45 * way,
                "kl": 0.0,
                "grad_norm": 0.4,
                "loss": 0.01,
                "tokens": 512 * now["length"],
            }
        lines.append(json.dumps({"step": step, **row}))
    (path / "history.jsonl").write_text("\n".join(lines) + "\n")
    groups = [Group((_rollout(0), _rollout(1)), (1.0, -1.0))]
    write_shard(path / "lake" / shard_name(1, 2), [(1, groups), (2, groups)])


def fine_tuning(path: Path, steps: int) -> None:
    rows = ({"step": s, "loss": 0.08 + 1.1 * math.exp(-5 * s / steps), "tokens": 1800.0} for s in range(1, steps + 1))
    (path / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def evaluation(path: Path, model: str, *, problems: int = 24, say: str | None = None) -> Path:
    """Answers and figures of ``model`` on both suites; ``say`` replaces every completion's text."""
    path.mkdir(parents=True)
    metrics: dict[str, float] = {}
    for suite, samples in SAMPLES.items():
        skill = "sum" if suite == "sums" else "string"
        rng = Random(7)
        levels = (2, 3, 4, 5) if skill == "sum" else (3, 4, 5)
        asked = [make_problem(rng, skill, levels[i % len(levels)]) for i in range(problems)]
        rows = []
        for number, problem in enumerate(asked):
            for sample in range(samples):
                row = answer(problem, model, python_rng(1, model, number, sample))
                row |= {"problem_id": f"{suite}-{skill}-{problem.level}-{number:05d}", "sample": sample}
                rows.append(row | ({"text": say} if say is not None else {}))
        pq.write_table(pa.Table.from_pylist(rows, schema=ANSWERS), path / f"{suite}.parquet", compression="zstd")
        metrics |= {f"{suite}/{key}": value for key, value in _figures(rows, samples).items()}
    (path / "metrics.json").write_text(json.dumps(metrics, indent=1))
    return path


def answer(problem: Problem, model: str, rng: Random) -> dict[str, Any]:
    thinks, right, letters, strings = SKILL[model]
    script = "letters" if rng.random() < letters else "digits"
    if problem.skill == "string":
        said = problem.answer if rng.random() < strings else problem.answer[::-1] + "k"
        thought = string_thought(said, script)
    elif rng.random() < thinks:
        said, thought = _chain(problem, right, script, rng)
    else:
        said, thought = (problem.answer if rng.random() < 0.2 else f"{rng.randrange(100):02d}"), ""
    text = f"<think>{thought}</think>{said}"
    return {
        "prompt": problem.prompt,
        "gold": problem.answer,
        "level": problem.level,
        "text": text,
        "answer": said,
        "verdict": "CORRECT" if said == problem.answer else "WRONG",
        "language": (1.0 if script == "digits" else 0.0) if thought else None,
        "format_ok": bool(thought),
        "reflections": 0,
        "num_tokens": len(thought) + len(said) + 3,
        "finished": True,
    }


def _chain(problem: Problem, right: float, script: str, rng: Random) -> tuple[str, str]:
    written, total = [], int(problem.prompt[:2])
    for _, term, _ in sum_steps(problem.prompt):
        found = (total + term + (0 if rng.random() < right else 10)) % 100
        written.append(write_step((total, term, found), script))
        total = found
    return f"{total:02d}", ";".join(written)


def _figures(rows: list[dict[str, Any]], samples: int) -> dict[str, float]:
    blocks = [rows[i : i + samples] for i in range(0, len(rows), samples)]
    marks = [[row["verdict"] == "CORRECT" for row in block] for block in blocks]
    one = pass_at_1(marks)
    spoken = [row["language"] for row in rows if row["language"] is not None]
    found = {
        "pass_at_1": one.mean,
        "pass_at_1_low": one.low,
        "pass_at_1_high": one.high,
        f"pass_at_{samples}": pass_at_k(marks, samples),
        f"cons_at_{samples}": cons_at_k([[row["answer"] for row in block] for block in blocks], marks),
        "format": sum(row["format_ok"] for row in rows) / len(rows),
        "language": sum(spoken) / len(spoken) if spoken else 0.0,
        "length": sum(row["num_tokens"] for row in rows) / len(rows),
        "truncated": 0.0,
        "reflection": 0.01,
        "unscored": 0.0,
        "problems": float(len(blocks)),
    }
    for level in sorted({row["level"] for row in rows}):
        of_level = [m for m, block in zip(marks, blocks, strict=True) if block[0]["level"] == level]
        found[f"pass_at_1_level_{level}"] = pass_at_1(of_level).mean
    return found


def _expected(model: str) -> dict[str, float]:
    thinks, right, letters, _ = SKILL[model]
    solved = thinks * right**2.5 + (1 - thinks) * 0.2
    reflection = 0.03 if model in ("base", "student") else 0.005
    return {
        "pass_at_1": solved,
        "format": thinks,
        "language": 1 - letters,
        "length": 5 + 23 * thinks,
        "reflection": reflection,
    }


def _rollout(sample: int) -> Rollout:
    return Rollout(
        prompt_id="sum-2-00000",
        sample=sample,
        prompt_ids=(1, 2),
        ids=(3, 4),
        logprobs=(-0.1, -0.2),
        finished=True,
        text="<think>12+30=42</think>42",
        reward=2.0 - sample,
        rewards={"accuracy": 1.0 - sample, "format": 1.0, "language": 1.0},
        verdict="WRONG" if sample else "CORRECT",
        language=1.0,
        format_ok=True,
        reflections=0,
        policy_version=0,
    )
