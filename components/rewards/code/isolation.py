"""Which tests can be judged from another process, and which are too broken to judge at all."""

import ast
import warnings

from r1flow.components.core.tests import CodeTests
from r1flow.components.rewards.code.programs.reading import Broken, free_names, parsed


def needs_one_process(tests: CodeTests, program: str) -> bool:
    """Whether the tests use a class of ``program``, a known right one: its objects cannot cross as plain data.

    For curation: set ``isolation="one"`` on such tests. The program that is to be judged never decides this.
    """
    if not tests.assertions:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            classes = {node.name for node in ast.parse(program).body if isinstance(node, ast.ClassDef)}
        return bool(classes & (free_names(tests.assertions) | {tests.entry_point or ""}))
    except (Broken, SyntaxError, ValueError):
        return False


def broken(tests: CodeTests) -> str | None:
    """Why no program can be judged by these tests; None where that is not plain to see."""
    kinds = [bool(tests.stdio), bool(tests.calls), bool(tests.assertions.strip())]
    if sum(kinds) != 1:
        return "no tests" if not any(kinds) else "more than one kind of tests"
    if tests.stdio and not any(case.stdout.strip() for case in tests.stdio):
        return "no test expects any output"
    if tests.stdio:
        return None
    if tests.language != "python":
        return f"calls and assertions are for Python, not for {tests.language}"
    if tests.calls and not tests.entry_point:
        return "calls without an entry_point"
    if tests.calls and all(case.expected is None for case in tests.calls):
        return "no call expects a value"
    try:
        if tests.assertions:
            parsed(tests.assertions)
    except Broken as error:
        return str(error)
    return None
