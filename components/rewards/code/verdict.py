"""The verdict on a program: which tests it passes, and what it means where it could not be run."""

from r1flow.components.core.errors import ConfigError
from r1flow.components.core.tests import CodeTests
from r1flow.components.core.verdict import Verdict
from r1flow.components.processes.sandbox.base import Sandbox
from r1flow.components.processes.sandbox.choose import open_sandbox
from r1flow.components.rewards.base import Score
from r1flow.components.rewards.code.extraction import extract_program
from r1flow.components.rewards.code.functions import START_SECONDS, judge_functions
from r1flow.components.rewards.code.isolation import broken
from r1flow.components.rewards.code.languages import COMPILING, LANGUAGES
from r1flow.components.rewards.code.stdio import judge_stdio

SLACK_SECONDS = 5.0


def wall_seconds(tests: CodeTests) -> float:
    """The longest that ``judge`` takes by its own clocks: the tests, the compiler, the start of the sandboxes."""
    compiling = COMPILING.wall_seconds if LANGUAGES[tests.language].compiled else 0.0
    return tests.total_seconds + (compiling if tests.stdio else START_SECONDS) + SLACK_SECONDS


def judge(tests: CodeTests, text: str, *, allow_one_process: bool = False, sandbox: Sandbox | None = None) -> Score:
    """The verdict on the program in ``text``, which is what follows the thought. CORRECT: every test passes.

    UNPARSEABLE: no program in the text. TIMEOUT, MEMORY: the program ran over its limits. WRONG: everything else that a
    program can do, an early exit, a crash and a compiler's error included. INFRA: a sandbox could not be made, or the
    machine lacks the language. The score is ``unusable`` for tests that are broken, and for tests with
    ``isolation="one"`` unless ``allow_one_process``. Without ``sandbox`` the one that this machine offers is used.

    A test proves no more than it says: where one compares a result with something computed from an argument that the
    function may change, a function can satisfy it by changing the argument, as it could in the test's own process.
    """
    reason = broken(tests)
    if reason is None and tests.isolation == "one" and not allow_one_process:
        reason = "the tests need the program's own objects in their process"
    if reason is not None:
        return Score.unusable(reason)
    program = extract_program(text, tests)
    if program is None:
        return Score.of(Verdict.UNPARSEABLE, detail="no program in the text")
    judged = judge_stdio if tests.stdio else judge_functions
    try:
        return judged(sandbox or open_sandbox(), tests, program)
    except ConfigError as error:  # the machine lacks what the tests need; the program has no part in it
        return Score.of(Verdict.INFRA, extracted=program, detail=str(error))
