import pytest

from r1flow.components.core.tests import CallCase, CodeTests
from r1flow.components.core.verdict import Verdict
from r1flow.components.processes.sandbox.base import End, Outcome, Program
from r1flow.components.rewards.base import Score
from r1flow.components.rewards.code import judge, needs_one_process, wall_seconds
from tests.conftest import need_program

CORRECT, WRONG, TIMEOUT, MEMORY = Verdict.CORRECT, Verdict.WRONG, Verdict.TIMEOUT, Verdict.MEMORY


@pytest.fixture(autouse=True)
def _bubblewrap():
    need_program("bwrap")


def asserted(assertions: str, program: str, **fields: object) -> Score:
    tests = CodeTests.model_validate({"assertions": assertions, **fields})
    return judge(tests, f"```python\n{program}\n```", allow_one_process=tests.isolation == "one")


def called(entry_point: str, cases: list[tuple[list[object], object]], program: str, **fields: object) -> Score:
    calls = tuple(CallCase(args=tuple(args), expected=expected) for args, expected in cases)
    return judge(
        CodeTests.model_validate({"calls": calls, "entry_point": entry_point, **fields}), f"```python\n{program}\n```"
    )


@pytest.mark.parametrize(
    ("program", "verdict", "detail"),
    [
        ("def add(a, b):\n    return a + b", CORRECT, "3 of 3 tests"),
        ("class Solution:\n    def add(self, a, b):\n        return a + b", CORRECT, "3 of 3"),
        ("def add(a, b):\n    print('noise' * 100000)\n    return a + b", CORRECT, "3 of 3"),
        (
            "def add(a, b):\n    return abs(a) + abs(b)",
            WRONG,
            "2 of 3 tests, first failure: test 3: returned 5, not -1",
        ),
        ("def add(a, b):\n    return str(a + b)", WRONG, "0 of 3"),
        ("def add(a, b):\n    print(a + b)", WRONG, "returned None"),
        ("def add(a, b):\n    raise ValueError(a)", WRONG, "ValueError"),
        ("def add(a):\n    return a", WRONG, "TypeError"),
        ("def plus(a, b):\n    return a + b", WRONG, "does not define add"),
        ("def add(a, b) return a + b", WRONG, "SyntaxError"),
        ("import nothing_like_it\ndef add(a, b):\n    return a + b", WRONG, "cannot be loaded"),
        ("def add(a, b):\n    return add(a, b)", WRONG, "RecursionError"),
        ("def add(a, b):\n    return [0] * 10**10", MEMORY, "MemoryError"),
        ("def add(a, b):\n    while True: pass", TIMEOUT, "no answer within"),
        ("import time\ntime.sleep(60)\ndef add(a, b):\n    return a + b", TIMEOUT, "no answer within"),
    ],
)
def test_calls_are_compared_by_value(program, verdict, detail):
    score = called("add", [([1, 2], 3), ([0, 0], 0), ([-3, 2], -1)], program, seconds=1)
    assert score.verdict is verdict, score
    assert detail in (score.detail or "")
    assert score.extracted == program + "\n"


def test_json_values_stand_for_what_json_cannot_write():
    assert called("f", [([], [[1, 2], {"1": None}])], "def f():\n    return (1, 2), {1: None}").verdict is CORRECT
    assert called("f", [([], [1, 2])], "def f():\n    return {1, 2}").verdict is WRONG
    assert called("Box.get", [([], 3)], "class Box:\n    def get(self):\n        return 3").verdict is CORRECT


def test_the_clock_of_all_tests_ends_many_slow_calls():
    cases: list[tuple[list[object], object]] = [([n], n) for n in range(50)]
    score = called("f", cases, "import time\ndef f(n):\n    time.sleep(0.2)\n    return n", seconds=5, total_seconds=1)
    assert score.verdict is TIMEOUT


@pytest.mark.parametrize(
    ("assertions", "program", "verdict"),
    [
        ("assert f(1) == 2\nassert f(2) == 3", "def f(x): return x + 1", CORRECT),
        ("assert f(1) == 2\nassert f(2) == 3", "def f(x): return 2", WRONG),
        ("assert f(x=1, y=2) == (1, 2)", "def f(x, *, y): return x, y", CORRECT),
        ("assert f((1, 2)) == {3}", "def f(t): return {len(t) + 1} if type(t) is tuple else t", CORRECT),
        ("xs = [3, 1, 2]\nassert f(xs) is None\nassert xs == [1, 2, 3]", "def f(xs): xs.sort()", CORRECT),
        ("xs = [3, 1, 2]\nassert f(xs) is None\nassert xs == [1, 2, 3]", "def f(xs): xs = sorted(xs)", WRONG),
        ("g = [[1], [2]]\nrow = g[0]\nf(g)\nassert row == [1, 9]", "def f(g): g[0].append(9)", CORRECT),
        ("d = {}\nf(d)\nassert d == {1: [2]}", "def f(d): d.setdefault(1, []).append(2)", CORRECT),
        ("assert list(f(3)) == [0, 1, 2]", "def f(n):\n    yield from range(n)", CORRECT),
        ("assert f(3) == [0, 1, 2]", "def f(n):\n    yield from range(n)", WRONG),
        ("assert next(f()) == 1", "import itertools\ndef f(): return itertools.count(1)", CORRECT),
        ("assert f(lambda x: x * 2, 4) == 8", "def f(g, x): return g(x)", CORRECT),
        ("assert f(2)(3) == 5", "def f(a): return lambda b: a + b", CORRECT),
        ("assert f(len) == 2", "def f(g): return g([1, 2])", CORRECT),
        ("assert f(int, '3') == 3", "def f(kind, text): return kind(text)", CORRECT),
        ("from solution import f\nassert f(1) == 1", "def f(x): return x", CORRECT),
        ("from solution import *\ndef test_one():\n    assert f(1) == 1", "def f(x): return x", CORRECT),
        ("from solution import *\ndef test_one():\n    assert f(1) == 1", "def f(x): return 0", WRONG),
        ("def check(f):\n    assert f(1) == 1\ncheck(f)", "def f(x): return x", CORRECT),
        ("assert math.isclose(f(2), 2 ** 0.5)", "def f(x): return x ** 0.5", CORRECT),
        ("assert all(map(lambda x: f(x) == 7, [1, 2]))", "def f(x): raise StopIteration", WRONG),
        ("assert f(10 ** 5000) == 10 ** 5000 + 1", "def f(x): return x + 1", CORRECT),
        ("assert f(float('nan')) == 'nan'", "def f(x): return str(x)", CORRECT),
        ("assert f('\\ud800') == 1", "def f(x): return len(x)", CORRECT),
    ],
)
def test_a_test_program_sees_the_functions_as_if_they_were_its_own(assertions, program, verdict):
    score = asserted(assertions, program)
    assert score.verdict is verdict, score


RAISES = """
try:
    f(-1)
    raise AssertionError("nothing is raised")
except ValueError as error:
    assert "negative" in str(error)
"""


@pytest.mark.parametrize(
    ("program", "verdict"),
    [
        ("def f(x): raise ValueError('negative')", CORRECT),
        ("class Mine(ValueError): pass\ndef f(x): raise Mine('negative')", CORRECT),
        ("def f(x): raise TypeError('negative')", WRONG),
        ("def f(x): raise Exception('negative')", WRONG),
        ("def f(x): return 'negative'", WRONG),
        ("def f(x): raise SystemExit('negative')", WRONG),
    ],
)
def test_exceptions_cross_by_name_and_text(program, verdict):
    assert asserted(RAISES, program).verdict is verdict


def test_a_test_that_swallows_everything_does_not_save_a_program_that_ended():
    tests = "try:\n    assert f(1) == 1\nexcept BaseException:\n    pass\nassert True"
    assert asserted(tests, "import os\ndef f(x): os._exit(0)").verdict is WRONG


def test_failures_are_counted_in_asserts():
    score = asserted("assert f(1) == 1\nassert f(2) == 2\nassert f(3) == 3, 'three'", "def f(x): return min(x, 2)")
    assert score.detail == "2 of 3 tests, first failure: test 3: line 3: AssertionError: three"


@pytest.mark.parametrize(
    "assertions",
    [
        "assert 1 == 1",
        "x = 1 / 0\nassert f(1) == 1",
        "import there_is_no_such_module\nassert f(1) == 1",
        "def check(candidate):\n    assert True",
        "import sys\nsys.exit(0)\nassert f(1) == 1",
    ],
)
def test_tests_that_fail_on_their_own_or_call_nothing_are_unusable_for_every_program(assertions):
    for program in ("def f(x): return x", "import os; os._exit(0)", "while True: pass"):
        score = asserted(assertions, program, entry_point="f")
        assert (score.reward, score.verdict) == (None, None), score


STACK = "s = Stack()\ns.push(3)\nassert s.pop() == 3"
RIGHT_STACK = """class Stack:
    def __init__(self): self.x = []
    def push(self, v): self.x.append(v)
    def pop(self): return self.x.pop()"""


def test_tests_of_classes_run_in_one_process_where_the_caller_allows_it():
    tests = CodeTests(assertions=STACK)
    assert needs_one_process(tests, RIGHT_STACK)
    assert not needs_one_process(tests, "def Stack(): pass")
    assert judge(tests, f"```python\n{RIGHT_STACK}\n```").verdict is WRONG  # an object does not cross
    one = tests.model_copy(update={"isolation": "one"})
    assert judge(one, f"```python\n{RIGHT_STACK}\n```").reward is None
    score = judge(one, f"```python\n{RIGHT_STACK}\n```", allow_one_process=True)
    assert score.verdict is CORRECT
    assert (score.detail or "").startswith("weaker: one process")


@pytest.mark.parametrize(
    "program",
    [
        RIGHT_STACK.replace("pop()", "pop() + 1"),
        "import os; os._exit(0)",
        "raise SystemExit(0)",
        'import os; os.write(5, b\'{"verdict": "CORRECT"}\'); os._exit(0)',
        "x = 1",
    ],
)
def test_one_process_still_fails_wrong_programs_and_early_exits(program):
    assert asserted(STACK, program, isolation="one").reward == 0.0


@pytest.mark.parametrize("verdict", ["UNUSABLE", "INFRA", "anything", 5])
def test_a_program_that_finds_the_nonce_in_one_process_still_cannot_end_as_none(verdict):
    program = f"""
import gc, json, os
for o in gc.get_objects():
    if isinstance(o, dict) and "nonce" in o and "assertions" in o:
        os.write(5, json.dumps({{"nonce": o["nonce"], "verdict": {verdict!r}}}).encode())
        os._exit(0)"""
    score = asserted(STACK, program, isolation="one")
    assert score.reward == 0.0
    assert "did not write" in (score.detail or "")


class NoSandbox:
    """A machine on which no sandbox starts."""

    name = "none"

    def run(self, program: Program) -> Outcome:
        return Outcome(End.INFRA, None, b"", b"", b"", 0.0, detail="no slot")

    def run_connected(self, judge: Program, candidate: Program) -> tuple[Outcome, Outcome]:
        return self.run(judge), self.run(candidate)


@pytest.mark.parametrize(
    "tests",
    [
        CodeTests(assertions="assert f(1) == 1"),
        CodeTests.model_validate({"stdio": [{"stdin": "", "stdout": "1"}]}),
        CodeTests.model_validate({"stdio": [{"stdin": "", "stdout": "1"}], "language": "c"}),
    ],
)
def test_a_sandbox_that_cannot_be_made_is_infra(tests):
    score = judge(tests, f"```{tests.language}\nint main(void) {{}}\n```", sandbox=NoSandbox())
    assert (score.verdict, score.reward, score.detail) == (Verdict.INFRA, None, score.detail)
    assert (score.detail or "").endswith("no slot")


def test_the_longest_time_is_known_beforehand():
    assert wall_seconds(CodeTests(assertions="assert f(1)", total_seconds=7)) > 7
    cpp = CodeTests.model_validate({"stdio": [{"stdin": "", "stdout": "1"}], "language": "cpp", "total_seconds": 7})
    assert wall_seconds(cpp) > 7 + 20
