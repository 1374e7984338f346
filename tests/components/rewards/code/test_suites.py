"""HumanEval and MBPP: every right program passes, and none that does nothing, says one thing or solves another task."""

import gzip
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from r1flow.components.core.tests import CodeTests
from r1flow.components.processes.sandbox.base import Limits, Program
from r1flow.components.processes.sandbox.choose import open_sandbox
from r1flow.components.rewards.base import Score
from r1flow.components.rewards.code import judge, needs_one_process
from r1flow.components.rewards.code.languages import python
from r1flow.components.rewards.code.suites import humaneval_tests, mbpp_tests
from tests.conftest import need_program
from tests.runs import ROOT

DATA = ROOT.parent / "shared" / "data"
Record = dict[str, Any]
# Their tests make objects of a class that the solution defines.
ONE_PROCESS = {367: "Node", 601: "Pair", 927: "Node"}


@pytest.fixture(autouse=True)
def _bubblewrap():
    need_program("bwrap")


def records(name: str) -> list[Record]:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{name} is not beside this checkout")
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    return [json.loads(line) for line in text.split("\n") if line.strip()]


def humaneval() -> list[Record]:
    return records("humaneval/HumanEval.jsonl.gz")


def judged(pairs: list[tuple[CodeTests, str]]) -> list[Score]:
    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(lambda pair: judge(*pair), pairs))


def rewarded(tasks: list[Record], completion: Callable[[Record], str]) -> dict[str, Score]:
    scores = judged([(humaneval_tests(task), completion(task)) for task in tasks])
    return {task["task_id"]: score for task, score in zip(tasks, scores, strict=True)}


def fenced(text: str) -> str:
    return f"Here it is.\n```python\n{text}\n```\n"


def wrong_programs(tasks: list[Record], everything: list[Record]) -> dict[str, dict[str, Score]]:
    after = {task["task_id"]: everything[(n + 1) % len(everything)] for n, task in enumerate(everything)}

    def other(task: Record) -> str:
        its = after[task["task_id"]]
        return fenced(f"{its['prompt']}{its['canonical_solution']}\n\n{task['entry_point']} = {its['entry_point']}\n")

    return {
        "None": rewarded(tasks, lambda task: "    return None\n"),
        "42": rewarded(tasks, lambda task: "    return 42\n"),
        "[]": rewarded(tasks, lambda task: fenced(f"def {task['entry_point']}(*args):\n    return []")),
        "another": rewarded(tasks, other),
    }


def not_zero(scores: dict[str, Score]) -> dict[str, Score]:
    return {name: score for name, score in scores.items() if score.reward != 0.0}


def not_one(scores: dict[str, Score]) -> dict[str, Score]:
    return {name: score for name, score in scores.items() if score.reward != 1.0}


def test_some_humaneval_solutions_pass_and_wrong_ones_do_not():
    tasks = humaneval()
    some = tasks[2::27] + [
        task for task in tasks if task["task_id"] in ("HumanEval/32", "HumanEval/33", "HumanEval/50")
    ]
    assert not_one(rewarded(some, lambda task: task["canonical_solution"])) == {}
    for name, scores in wrong_programs(some, tasks).items():
        assert not_zero(scores) == {}, name


@pytest.mark.slow
def test_every_humaneval_solution_passes():
    tasks = humaneval()
    assert len(tasks) == 164
    assert not_one(rewarded(tasks, lambda task: task["canonical_solution"])) == {}
    assert not_one(rewarded(tasks, lambda task: fenced(task["prompt"] + task["canonical_solution"]))) == {}


@pytest.mark.slow
def test_no_humaneval_task_is_solved_by_nothing_by_a_constant_or_by_another_tasks_solution():
    tasks = humaneval()
    for name, scores in wrong_programs(tasks, tasks).items():
        assert not_zero(scores) == {}, name


def mbpp(name: str, step: int) -> None:
    tasks = records(f"mbpp/{name}")[::step]
    two = [task for task in tasks if task["task_id"] not in ONE_PROCESS]
    scores = judged([(mbpp_tests(task), fenced(task["code"])) for task in two])
    named = {str(task["task_id"]): score for task, score in zip(two, scores, strict=True)}
    assert not_one(named) == {}
    assert not any(needs_one_process(mbpp_tests(task), task["code"]) for task in two)
    scores = judged(
        [(mbpp_tests(task), fenced(after["code"])) for task, after in zip(two, two[1:] + two[:1], strict=True)]
    )
    assert [score for score in scores if score.reward != 0.0] == []


@pytest.mark.parametrize(
    ("name", "step"), [("mbpp.minus_heldout.jsonl", 60), ("sanitized-mbpp.minus_heldout.jsonl", 20)]
)
def test_some_mbpp_solutions_pass_and_those_of_other_tasks_do_not(name, step):
    mbpp(name, step)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mbpp.minus_heldout.jsonl", "sanitized-mbpp.minus_heldout.jsonl"])
def test_every_mbpp_solution_passes_and_none_of_another_task(name):
    mbpp(name, 1)


def test_the_mbpp_tasks_with_classes_of_their_own_pass_in_one_process_where_that_is_allowed():
    tasks = [task for task in records("mbpp/mbpp.minus_heldout.jsonl") if task["task_id"] in ONE_PROCESS]
    assert len(tasks) == len(ONE_PROCESS)
    for task in tasks:
        assert needs_one_process(mbpp_tests(task), task["code"])
        tests = mbpp_tests(task, isolation="one")
        assert judge(tests, fenced(task["code"])).reward is None
        score = judge(tests, fenced(task["code"]), allow_one_process=True)
        assert score.reward == 1.0
        assert "weaker" in (score.detail or "")


def in_one_process(task: Record, completion: str) -> bool:
    """The usual way, as a second opinion: program and tests in one file."""
    source = f"{task['prompt']}{completion}\n{task['test']}\ncheck({task['entry_point']})\nimport os\nos.write(5, b'passed')\n"
    program = Program((*python(), "all.py"), {"all.py": source.encode("utf-8", "replace")}, b"", Limits(wall_seconds=8))
    return open_sandbox().run(program).report == b"passed"


@pytest.mark.slow
def test_verdicts_on_completions_of_a_model_agree_with_running_tests_and_program_in_one_process():
    sampled: dict[str, list[Record]] = {}
    for record in records("model_outputs/codet_humaneval_codegen16b.jsonl.gz"):
        sampled.setdefault(re.findall(r"def (\w+)", record["prompt"])[-1], []).append(record)
    pairs = [
        (task, text)
        for task in humaneval()
        if len(sampled.get(task["entry_point"], [])) == 1
        for text in sampled[task["entry_point"]][0]["samples"][:2]
    ]
    scores = judged([(humaneval_tests(task), text) for task, text in pairs])
    assert {score.reward for score in scores} == {0.0, 1.0}
    with ThreadPoolExecutor(2) as threads:
        plain = list(threads.map(lambda pair: in_one_process(*pair), pairs))
    differing = [pair[0]["task_id"] for pair, a, b in zip(pairs, scores, plain, strict=True) if a.reward != float(b)]
    assert differing == []
