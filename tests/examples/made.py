"""Runs every recipe of ``examples/`` at smoke size, in one process, and writes down what came of each.

``python -m tests.examples.made HOME``: the hub's models become the tiny world's, files hold its problems.
"""

import json
import sys
from pathlib import Path
from typing import Any

import r1flow
from r1flow.components.core.errors import R1Error
from r1flow.components.data.sources.tiny import tiny_rows, with_worked_completion
from r1flow.tasks.session import one_server
from tests.runs import ROOT

LANGUAGE = {"target": "0123456789", "other": "abcdefghij", "reflection_words": ["wait"]}
PROMPT = {"template": "tiny", "format": "think"}
CHAT = {"template": "tokenizer", "format": "think"}
SMALL = {"steps": 2, "prompts_per_step": 8, "samples_per_prompt": 8, "max_tokens": 60, "min_pass_rate": 0.0}
SUITE = {"known": "tiny-sums", "problems": 8, "samples": 2}


def base(name: str = "base", prompt: dict[str, str] = PROMPT) -> dict[str, Any]:
    return {f"{name}.source": "builtin:tiny-base", f"{name}.prompt": prompt, f"{name}.language": LANGUAGE}


def source(path: Path, **columns: Any) -> dict[str, Any]:
    return {"uri": str(path), "verifier": "exact", "columns": columns}


def small(*stages: str) -> dict[str, Any]:
    return {f"{stage}.{key}": value for stage in stages for key, value in SMALL.items()}


def loose(stage: str) -> dict[str, Any]:
    """A selection that the tiny base's rollouts pass."""
    return {f"{stage}.examples": 32, f"{stage}.per_problem": 4, f"{stage}.min_language": 0.0}


def files(home: Path) -> tuple[Path, Path, Path]:
    """Problems; traces of which one is wrong and one has no thought; conversations."""
    sums = tiny_rows("sum", 60, seed=5, exclude_keys=())
    worked = [with_worked_completion(row) for row in tiny_rows("string", 40, seed=5, exclude_keys=())]
    problems = [{"question": row.prompt, "answer": row.answer} for row in sums]
    traces = [
        {"question": r.prompt, "problem": r.prompt, "answer": r.answer, "trace": r.completion, "wrong": False}
        for r in worked
    ]
    traces[3]["trace"] = "<think>abc</think>a"
    traces[4]["trace"] = traces[4]["answer"]
    chats = [
        {"messages": [{"role": "user", "content": r.prompt}, {"role": "assistant", "content": r.completion}]}
        for r in worked
    ]
    found = []
    for name, rows in (("problems", problems), ("traces", traces), ("chats", chats)):
        path = home / f"{name}.jsonl"
        path.write_text("\n".join(map(json.dumps, rows)))
        found.append(path)
    return found[0], found[1], found[2]


def settings(home: Path) -> dict[str, dict[str, Any]]:
    """What every example is given in place of a person's files, models and hours."""
    problems, traces, chats = files(home)
    mine = source(problems, prompt="question", answer="answer")
    suite = {"suites": {"gsm8k": SUITE}, "run": {"device": "cpu", "parallel_stages": 2}}
    told = {"traces.sources.mine": source(traces, prompt="question", answer="answer", completion="trace")}
    return {
        "sft-chat": {**base(prompt=CHAT), "conversations.sources.mine.uri": str(chats), "run.device": "cpu"},
        "rl-instruct": {
            **suite,
            **base("instruct", CHAT),
            **small("reasoner"),
            "problems.sources": {"gsm8k": mine},
            "promote.reasoner.min_pass_at_1": 0.0,
        },
        "distill-traces": {
            "suites": {"math500": SUITE},
            "run.device": "cpu",
            **base("student"),
            "student.source": "builtin:tiny-student",
            "traces.sources.teacher": source(traces, prompt="problem", answer="answer", completion="trace"),
            "verified.prompt": PROMPT,
            "verified.language": LANGUAGE,
            "verified.min_language": 0.0,
        },
        "cold-start": {
            **suite,
            **base(),
            **small("explorer", "reasoner"),
            **loose("readable"),
            **told,
            "problems.sources": {"mine": mine},
            "started.data": {"traces": {"share": 0.5}, "readable": {"rows": 8}},
        },
        "evaluate": {**suite, **base("mine", CHAT), "mine.source": str(ROOT / "components/data/tinyworld/models/base")},
        "two-rewards": {**suite, **base(), **small("right", "readable"), "problems.sources": {"mine": mine}},
        "teacher-and-student": {
            **suite,
            **base(),
            **base("small"),
            **small("teacher"),
            **loose("lessons"),
            "small.source": "builtin:tiny-student",
            "problems.sources": {"mine": mine},
        },
    }


def main() -> None:
    home = Path(sys.argv[1])
    made: dict[str, Any] = {}
    with one_server():
        for name, given in settings(home).items():
            recipe = r1flow.load_recipe(str(ROOT / "examples" / f"{name}.toml"), given)
            try:
                made[name] = r1flow.run(recipe, home=home)
            except R1Error as error:
                made[name] = {"error": f"{type(error).__name__}: {error}"}
            (home / "made.json").write_text(json.dumps(made))


if __name__ == "__main__":
    main()
