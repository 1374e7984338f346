import pytest

from r1flow.components.core.tests import CodeTests, StdioCase
from r1flow.components.core.verdict import Verdict
from r1flow.components.rewards.code import extract_program, judge

PYTHON = CodeTests(assertions="assert f(1) == 2\n", entry_point="f")
PROMPT = 'from typing import List\n\n\ndef f(x: int) -> int:\n    """Add one."""\n'
BEGUN = CodeTests(assertions="def check(candidate):\n    assert candidate(1) == 2\n", entry_point="f", prefix=PROMPT)


def stdio(language: str) -> CodeTests:
    return CodeTests.model_validate({"language": language, "stdio": [{"stdin": "", "stdout": "1"}]})


def result_of(program: str | None) -> object:
    assert program is not None
    names: dict[str, object] = {}
    exec(program, names)
    return names["f"](1)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("```python\nx = 1\n```", "x = 1\n"),
        ("So:\n```py\nx = 1\n```\nor rather\n```Python\nx = 2\n```\nDone.", "x = 2\n"),
        ("```python\nx = 1\n```\nprints\n```output\n3\n```", "x = 1\n"),
        ("```\nx = 1\n```", "x = 1\n"),
        ("```python\nx = 1\n```\n```\n3\n```", "x = 1\n"),
        ("```python\nx = 1", "x = 1"),
        ("~~~python\nx = '```'\n~~~", "x = '```'\n"),
        ("````python\nx = '''\n```\n'''\n````", "x = '''\n```\n'''\n"),
        ("1. Here:\n   ```python\n   if x:\n       y\n   ```", "if x:\n    y\n"),
        ("```python\r\nx = 1\r\n```", "x = 1\n"),
        ("<answer>\n```python\nx = 1\n```\n</answer>", "x = 1\n"),
        ("```python\nx = 0\n```<answer>x = 1</answer> as I said", "x = 1"),
        ("<answer>```python\nx = 1\n```</answer>```python\nx = 2\n```", "x = 1\n"),
        ("import sys\nprint(1)", "import sys\nprint(1)"),
    ],
)
def test_the_last_block_of_the_language_is_the_program(text, program):
    found = extract_program(text, PYTHON)
    assert found is not None
    assert found.strip() == program.strip()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  \n",
        "I cannot solve it.",
        "42",
        "```javascript\nf = 1\n```",
        "```python\n```",
        "```",
        "<answer></answer>",
        "{",
        "\0",
    ],
)
def test_a_text_without_code_is_unparseable(text):
    assert extract_program(text, PYTHON) is None
    score = judge(PYTHON, text)
    assert (score.verdict, score.reward) == (Verdict.UNPARSEABLE, 0.0)


@pytest.mark.parametrize(
    "text",
    [
        "    return x + 1\n",
        "    y = x\n    return y + 1\n",
        "return x + 1",
        "y = x\nreturn y + 1",
        "y = x\n    return y + 1",
        "```python\n    return x + 1\n```",
        "```python\nif x:\n    return x + 1\n```",
        "```python\ndef f(x):\n    return x + 1\n```",
        "```python\ndef g(x: List) -> int:\n    return x + 1\n\ndef f(x: List):\n    return g(x)\n```",
        "def f(x):\n    return x + 1",
    ],
)
def test_a_body_goes_on_with_the_prompt_and_a_whole_function_replaces_it(text):
    assert result_of(extract_program(text, BEGUN)) == 2


def test_prose_is_no_function_body():
    assert extract_program("I think that one has to add one to it.", BEGUN) is None


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("cpp", "```c++\nint main() {}\n```"),
        ("cpp", "```cpp\nint main() {}\n```"),
        ("c", "```c\nint main() {}\n```"),
        ("c", "int main() {}"),
        ("javascript", "```js\nconsole.log(1)\n```"),
        ("javascript", "console.log(1)"),
    ],
)
def test_each_language_has_its_own_fences(language, text):
    assert extract_program(text, stdio(language)) is not None
    assert extract_program("```python\nprint(1)\n```", stdio(language)) is None


def test_a_program_that_is_too_long_is_none():
    assert extract_program("```python\n" + "x = 1\n" * 50_000 + "```", PYTHON) is None


@pytest.mark.parametrize(
    "text", ["`" * 100_000, "```\n" * 50_000, " " * 500_000 + "```", "<answer>" * 50_000, "def f(" * 30_000]
)
def test_hostile_texts_are_read(text):
    extract_program(text, PYTHON)
    extract_program(text, BEGUN)


@pytest.mark.parametrize(
    ("tests", "reason"),
    [
        (CodeTests(), "no tests"),
        (CodeTests(assertions="assert f(", entry_point="f"), "cannot be read"),
        (CodeTests(assertions="f(1)"), "assert nothing"),
        (CodeTests(calls=({"args": [1], "expected": 1},)), "entry_point"),  # type: ignore[arg-type]
        (CodeTests(calls=({"args": [1], "expected": None},), entry_point="f"), "no call expects"),  # type: ignore[arg-type]
        (CodeTests(stdio=(StdioCase(stdin="", stdout=" \n"),)), "no test expects"),
        (CodeTests(stdio=(StdioCase(stdin="", stdout="1"),), assertions="assert f(1)"), "more than one kind"),
        (CodeTests(language="c", assertions="assert f(1)"), "not for c"),
        (CodeTests(assertions="assert f(1)", isolation="one"), "own objects"),
    ],
)
def test_broken_tests_are_unusable_whatever_the_completion(tests, reason):
    for text in ("```python\ndef f(x): return 1\n```", "", "nonsense"):
        score = judge(tests, text)
        assert (score.reward, score.verdict) == (None, None)
        assert reason in (score.detail or "")
