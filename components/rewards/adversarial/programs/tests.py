"""The tests of a task, as rows carry them: calls, assertions in two styles, standard input and output."""

import json
from textwrap import indent
from typing import Any, Literal, get_args

from r1flow.components.core.schema import Row
from r1flow.components.core.tests import CallCase, CodeTests, StdioCase
from r1flow.components.rewards.adversarial.programs.task import Task

Style = Literal["calls", "check", "asserts", "stdio"]
STYLES: tuple[Style, ...] = get_args(Style)

_MAIN = """

if __name__ == "__main__":
    import json
    import sys

    for line in sys.stdin:
        if line.strip():
            print(json.dumps({entry}(*json.loads(line))))
"""


def make_tests(task: Task, style: Style, inputs: list[tuple[Any, ...]], seconds: float = 4.0) -> CodeTests:
    """The tests of ``task`` on ``inputs``; on standard input three of them make one test, one to a line."""
    if style == "calls":
        calls = tuple(CallCase(args=args, expected=task.solve(*args)) for args in inputs)
        return CodeTests(calls=calls, entry_point=task.entry, seconds=seconds)
    if style == "stdio":
        groups = [inputs[at : at + 3] for at in range(0, len(inputs), 3)]
        return CodeTests(stdio=tuple(_stdio(task, group) for group in groups), seconds=seconds)
    called = "candidate" if style == "check" else task.entry
    lines = "\n".join(f"assert {called}({', '.join(map(repr, args))}) == {task.solve(*args)!r}" for args in inputs)
    if style == "asserts":
        return CodeTests(assertions=lines, seconds=seconds)
    source = f"def check(candidate):\n{indent(lines, '    ')}\n"
    return CodeTests(assertions=source, entry_point=task.entry, seconds=seconds)


def with_main(program: str, task: Task) -> str:
    """The program with a main part that answers the tests on standard input."""
    return program + _MAIN.replace("{entry}", task.entry)


def code_row(tests: CodeTests | None) -> Row:
    """A row for a program."""
    return Row(
        id="adversarial", prompt="Write the program.", answer="", verifier="code", source="adversarial", tests=tests
    )


def _stdio(task: Task, group: list[tuple[Any, ...]]) -> StdioCase:
    lines = [json.dumps(task.solve(*args)) for args in group]
    return StdioCase(stdin="".join(json.dumps(args) + "\n" for args in group), stdout="\n".join(lines) + "\n")
