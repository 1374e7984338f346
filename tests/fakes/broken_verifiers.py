"""Verifiers with one hole each: what a sound one calls CORRECT they do too, and something more.

The holes are those of public reward functions. Programs run in the sandbox, so that hostile ones may be put to them.
"""

import re

from r1flow.components.core.schema import Row
from r1flow.components.core.tests import StdioCase
from r1flow.components.core.verdict import Verdict
from r1flow.components.processes.sandbox.base import Limits, Outcome, Program
from r1flow.components.processes.sandbox.choose import open_sandbox
from r1flow.components.processes.sandbox.interpreters import python
from r1flow.components.rewards.base import Score
from r1flow.components.rewards.code import extract_program
from r1flow.components.rewards.mathematics import judge
from r1flow.components.rewards.thought import answer_of

CORRECT, WRONG, UNPARSEABLE = Verdict.CORRECT, Verdict.WRONG, Verdict.UNPARSEABLE
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_BOX = re.compile(r"\\boxed\{[^{}]*\}")


def sound(completion: str, row: Row) -> Score:
    """The one without the hole."""
    answer = answer_of(completion)
    if answer is None:
        return Score.of(UNPARSEABLE)
    return judge(row.answer, answer)


def always_one(completion: str, row: Row) -> Score:
    return Score.of(CORRECT)


def last_number(completion: str, row: Row) -> Score:
    """Takes the last number in the text."""
    found, gold = _NUMBER.findall(completion), _NUMBER.findall(row.answer)
    return Score.of(CORRECT) if found and gold and found[-1] == gold[-1] else sound(completion, row)


def any_box(completion: str, row: Row) -> Score:
    """Right as soon as one of the boxes is."""
    boxes = _BOX.findall(answer_of(completion) or "")
    return _best([sound(completion, row), *(judge(row.answer, box) for box in boxes)])


def thoughts_count(completion: str, row: Row) -> Score:
    """Reads the answer wherever it stands, the thought included."""
    text = re.sub(r"</?think>", "", completion)
    return _best([sound(completion, row), judge(row.answer, text)])


def errors_count(completion: str, row: Row) -> Score:
    """What cannot be read is passed."""
    score = sound(completion, row)
    return Score.of(CORRECT) if score.verdict is UNPARSEABLE else score


def masks_errors(completion: str, row: Row) -> Score:
    """What cannot be read is not scored: a completion can leave its group at will."""
    score = sound(completion, row)
    return Score.unusable("no answer") if score.verdict is UNPARSEABLE else score


def raises_on_errors(completion: str, row: Row) -> Score:
    score = sound(completion, row)
    if score.verdict is UNPARSEABLE:
        raise ValueError("no answer")
    return score


def prefix_of_output(completion: str, row: Row) -> Score:
    """Passes what the expected output begins with."""
    return _by_output(completion, row, lambda got, case: case.stdout.startswith(got.strip()))


def lines_that_are_there(completion: str, row: Row) -> Score:
    """Compares line by line, as far as the shorter of the two goes."""
    return _by_output(
        completion,
        row,
        lambda got, case: all(
            a.strip() == b.strip()
            for a, b in zip(got.strip().split("\n"), case.stdout.strip().split("\n"), strict=False)
        ),
    )


def exit_code(completion: str, row: Row) -> Score:
    """Runs program and assertions in one process and takes exit code 0 for a pass."""
    answer = answer_of(completion)
    if row.tests is None or not row.tests.assertions:
        return Score.of(WRONG)
    program = extract_program(answer or "", row.tests)
    if program is None:
        return Score.of(WRONG)
    check = f"\ncheck({row.tests.entry_point})\n" if row.tests.entry_point else ""
    outcome = _run(f"{program}\n{row.tests.assertions}\n{check}", b"")
    return Score.of(CORRECT if outcome.returncode == 0 else WRONG)


def crashes_count(completion: str, row: Row) -> Score:
    """A program that fails to run is passed."""
    return _by_output(completion, row, lambda got, case: got.strip() == case.stdout.strip(), crash=True)


def _by_output(completion, row, accept, *, crash=False):
    if row.tests is None or not row.tests.stdio:
        return Score.of(WRONG)
    program = extract_program(answer_of(completion) or "", row.tests)
    if program is None:
        return Score.of(UNPARSEABLE)

    def passes(case: StdioCase) -> bool:
        outcome = _run(program, case.stdin.encode())
        if crash and outcome.returncode != 0:
            return True
        return accept(outcome.stdout.decode(errors="replace"), case)

    return Score.of(CORRECT if all(passes(case) for case in row.tests.stdio) else WRONG)


def _run(program: str, stdin: bytes) -> Outcome:
    source = program.encode("utf-8", "replace")
    limits = Limits(wall_seconds=2.0, cpu_seconds=2)
    return open_sandbox().run(Program([*python(), "main.py"], files={"main.py": source}, stdin=stdin, limits=limits))


def _best(scores: list[Score]) -> Score:
    return next((score for score in scores if score.verdict is CORRECT), scores[0])
