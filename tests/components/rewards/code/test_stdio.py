"""Programs in C, C++, JavaScript and Python, judged by what they print."""

import pytest

from r1flow.components.core.tests import CodeTests
from r1flow.components.core.verdict import Verdict
from r1flow.components.rewards.code import judge
from r1flow.components.rewards.code.stdio import same_output
from tests.components.rewards.code.code_tasks import TASKS, Task
from tests.conftest import need_program

COMPILER = {"cpp": "g++", "c": "gcc", "javascript": "node"}
LANGUAGES = list(COMPILER)


@pytest.mark.parametrize(
    ("printed", "expected", "equal"),
    [
        ("1\n2\n", "1\n2", True),
        ("1 \t\n2\r\n\n\n", "1\n2", True),
        ("1\n", "1\n2\n", False),
        ("1\n2\n3\n", "1\n2\n", False),
        ("\n1\n", "1\n", False),
        (" 1", "1", False),
        ("1  2", "1 2", False),
        ("1\n\n2", "1\n2", False),
        ("1.0", "1", False),
        ("0.30000000000000004", "0.3", False),
        ("01", "1", False),
        ("", "1", False),
        ("Yes", "yes", False),
    ],
)
def test_outputs_are_compared_whole(printed, expected, equal):
    assert same_output(printed.encode(), expected.encode()) is equal


def reward(task: Task, language: str, program: str) -> float | None:
    return judge(task.tests(language), f"```{language}\n{program}\n```").reward  # type: ignore[arg-type]


def check(task: Task, language: str) -> None:
    """The right program passes; near misses, half the output, more output and a program that does not compile fail."""
    need_program("bwrap")
    need_program(COMPILER[language])
    right = task.right[language]  # type: ignore[index]
    assert reward(task, language, right) == 1.0
    for old, new in task.mistakes[language]:  # type: ignore[index]
        assert old in right
        assert reward(task, language, right.replace(old, new, 1)) == 0.0, (old, new)
    assert reward(task, language, right + "\n}") == 0.0
    if language == "javascript":
        assert reward(task, language, right + "\nconsole.log('');console.log(0)") == 0.0
        assert reward(task, language, "console.log(" + repr(task.cases[0][1].split()[0]) + ")\nprocess.exit(0)") == 0.0
    elif language == "c":  # one more line when all else is done
        head = "#include <stdio.h>\n__attribute__((destructor)) static void more(void) { "
        assert reward(task, language, head + 'printf("\\nx"); }\n' + right) == 0.0


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("task", TASKS[:3], ids=lambda task: task.name)
def test_right_programs_pass_and_near_misses_fail(task, language):
    check(task, language)


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("task", TASKS[3:], ids=lambda task: task.name)
def test_right_programs_of_every_task_pass_and_near_misses_fail(task, language):
    check(task, language)


def stdio(cases: list[tuple[str, str]], **fields: object) -> CodeTests:
    return CodeTests.model_validate(
        {"stdio": [{"stdin": given, "stdout": wanted} for given, wanted in cases], **fields}
    )


def test_python_programs_have_the_whole_standard_library_and_exit():
    need_program("bwrap")
    program = "import re, sys, collections\nn = int(input())\nprint(len(sys.stdin.read().split()) + n)\nexit()\nprint('never')"
    tests = stdio([("1\na b c\n", "4\n"), ("0\n", "0\n")])
    assert judge(tests, f"```python\n{program}\n```").verdict is Verdict.CORRECT


def test_nothing_is_imported_that_the_program_did_not_import():
    need_program("bwrap")
    assert judge(stdio([("", "1")]), "```python\nsys.stdout.write('1')\n```").verdict is Verdict.WRONG


def test_large_inputs_and_outputs_and_other_scripts_go_through():
    need_program("bwrap")
    text = "\n".join(f"{n} \u00e4\u4e2d" for n in range(50_000))
    assert judge(stdio([(text, text)]), "```python\nimport sys\nsys.stdout.write(sys.stdin.read())\n```").reward == 1.0


def test_the_first_failing_test_is_named_and_ends_the_run():
    need_program("bwrap")
    tests = stdio([("1", "1"), ("2", "2"), ("3", "x"), ("4", "4")])
    score = judge(tests, "```python\nprint(input())\n```")
    assert score.detail == "2 of 4 tests, first failure: test 3: printed '3'"


def test_the_clock_of_all_tests_ends_many_slow_ones():
    need_program("bwrap")
    tests = stdio([(str(n), str(n)) for n in range(9)], seconds=3, total_seconds=1)
    assert judge(tests, "```python\nimport time\ntime.sleep(0.3)\nprint(input())\n```").verdict is Verdict.TIMEOUT


@pytest.mark.parametrize(
    ("language", "program"),
    [
        ("python", "print(len([0] * 10**10))"),
        ("cpp", "#include <vector>\nint main() { std::vector<long> v(1L << 36, 1); return v[5]; }"),
        ("javascript", "const a = []; while (true) a.push(new Array(1e6).fill(a.length))"),
    ],
)
def test_programs_that_run_out_of_memory_are_said_to(language, program):
    need_program("bwrap")
    need_program(COMPILER.get(language, "bwrap"))
    score = judge(stdio([("", "1")], language=language, seconds=20), f"```{language}\n{program}\n```")
    assert score.verdict is Verdict.MEMORY, score
