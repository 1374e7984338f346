"""Suites in the form in which their authors publish them: read whole, asked as people would ask, solved by their solutions."""

import base64
import csv
import gzip
import json
import struct
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from r1flow.components.core.schema import QuarantinedRow, Row
from r1flow.components.data.sources import read_source
from r1flow.components.evals.asking import asked
from r1flow.components.recipe.suites import SuiteConfig
from r1flow.components.rewards.accuracy import score_answer
from r1flow.components.rewards.base import Score
from r1flow.components.rewards.code.livecodebench import pickled_text
from tests.conftest import need_program
from tests.runs import ROOT

SHARED = ROOT.parent / "shared" / "data"
Record = dict[str, Any]


def suite(name: str, uri: Path, **source: Any) -> SuiteConfig:
    return SuiteConfig.model_validate({"known": name, "source": {"uri": str(uri), **source}})


def read(config: SuiteConfig) -> list[Row | QuarantinedRow]:
    return list(read_source(config.source, "exam", seed=0, setting="suites.exam.source"))


def rows(config: SuiteConfig) -> list[Row]:
    found = read(config)
    assert [row for row in found if isinstance(row, QuarantinedRow)] == []
    return [row for row in found if isinstance(row, Row)]


def published(path: str) -> Path:
    if not (SHARED / path).exists():
        pytest.skip(f"{path} is not beside this checkout")
    return SHARED / path


def records(path: Path) -> list[Record]:
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    return [json.loads(line) for line in text.split("\n") if line.strip()]


def judged(pairs: list[tuple[str, Row]]) -> list[Score]:
    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(lambda pair: score_answer(f"<think>\n</think>\n{pair[0]}", pair[1]), pairs))


def boxed(record: Record, row: Row) -> str:
    return f"\\boxed{{{row.answer}}}"


def column(name: str) -> Callable[[Record, Row], str]:
    return lambda record, row: str(record[name])


MATHEMATICS = {
    "gsm8k": ("gsm8k/test.jsonl", 1319, column("answer")),
    "math500": ("math500/test.rows000-249.jsonl", 250, column("solution")),
    "aime24": ("aime24/test.jsonl", 30, column("reference_solution")),
    "amc23": ("amc23/test.jsonl", 40, boxed),
    "olympiadbench": ("olympiadbench/test.jsonl", 675, boxed),
    "minerva": ("minerva_math/test.jsonl", 272, column("solution")),
}


@pytest.mark.parametrize("name", MATHEMATICS)
def test_the_models_of_solutions_solve_everything(name: str) -> None:
    path, num, solution = MATHEMATICS[name]
    file = published(path)
    found = rows(suite(name, file))
    assert len(found) == num
    pairs = [(solution(record, row), row) for record, row in zip(records(file), found, strict=True)]
    assert [row.id for score, (_, row) in zip(judged(pairs), pairs, strict=True) if score.reward != 1.0] == []


def test_the_chinese_problems_are_asked_in_chinese_and_solved() -> None:
    file = published("mgsm_zh/mgsm_zh.jsonl")
    config = suite("mgsm-zh", file, format="jsonl", columns={"messages": "messages"})  # as DeepSeek-Math writes it
    found = rows(config)
    assert len(found) == 250
    assert asked(found[0], config.prompt).prompt.endswith("\\boxed{} \u4e2d\u3002")
    golds = zip(records(file), found, strict=True)
    assert {s.reward for s in judged([(f"答案是 {record['answer']}。", row) for record, row in golds])} == {1.0}


PROGRAMS = {
    "humaneval": ("humaneval/HumanEval.jsonl.gz", 164, lambda record: record["prompt"] + record["canonical_solution"]),
    "mbpp": ("mbpp/mbpp.minus_heldout.jsonl", 713, lambda record: record["code"]),
    "mbpp-sanitized": ("mbpp/sanitized-mbpp.minus_heldout.jsonl", 169, lambda record: record["code"]),
}
ONE_PROCESS = {"exam:367", "exam:601", "exam:927"}
"""Their tests make objects of a class that the solution defines, which takes one process for both: not allowed here."""


def programs(name: str, step: int) -> None:
    need_program("bwrap")
    path, num, solution = PROGRAMS[name]
    file = published(path)
    found = rows(suite(name, file))
    assert len(found) == num
    chosen = list(zip(records(file), found, strict=True))[::step]
    pairs = [(f"```python\n{solution(record)}\n```", row) for record, row in chosen if row.id not in ONE_PROCESS]
    assert [row.id for score, (_, row) in zip(judged(pairs), pairs, strict=True) if score.reward != 1.0] == []


@pytest.mark.parametrize("name", PROGRAMS)
def test_some_programs_of_the_authors_pass(name: str) -> None:
    programs(name, 40)


@pytest.mark.slow
@pytest.mark.parametrize("name", PROGRAMS)
def test_every_program_of_the_authors_passes(name: str) -> None:
    programs(name, 1)


def test_a_function_is_asked_for_with_its_beginning_and_a_task_with_its_tests() -> None:
    path = published("humaneval/HumanEval.jsonl.gz")
    config = suite("humaneval", path)
    prompt = asked(rows(config)[0], config.prompt).prompt
    assert prompt.startswith("Complete this Python function.\n\n```python\nfrom typing import List\n")
    assert '"""\n```\n\nPut the whole function' in prompt
    config = suite("mbpp", published("mbpp/mbpp.minus_heldout.jsonl"))
    prompt = asked(rows(config)[1], config.prompt).prompt
    assert prompt.count("assert similar_elements(") == 3
    assert "{tests}" not in prompt


def test_aime_2025_is_read_as_its_year_before(tmp_path: Path) -> None:
    """A row in NeMo-Skills' form; the problems themselves are not here."""
    row = {
        "id": "aime25-0",
        "problem": "Find 6 times 7.",
        "expected_answer": "42",
        "reference_solution": "$6 \\cdot 7 = \\boxed{042}$.",
    }
    (tmp_path / "aime25.jsonl").write_text(json.dumps(row) + "\n")
    (read_row,) = rows(suite("aime25", tmp_path / "aime25.jsonl"))
    assert (read_row.id, read_row.answer) == ("exam:aime25-0", "42")
    assert judged([(row["reference_solution"], read_row)])[0].reward == 1.0


@pytest.mark.parametrize("language", ["bn", "de", "en", "es", "fr", "ja", "ru", "sw", "te", "th", "zh"])
def test_mgsm_is_read_from_lines_of_question_and_answer(tmp_path: Path, language: str) -> None:
    file = tmp_path / f"mgsm_{language}.tsv"
    file.write_text('"Ann" has 1,000 apples, each 3" wide. How many?\t1,000\nBob?\t7\n', encoding="utf-8")
    found = rows(suite(f"mgsm-{language}", file))
    assert [(row.prompt, row.answer, row.language) for row in found][1] == ("Bob?", "7", language)
    assert {score.reward for score in judged([("\\boxed{1000}", found[0]), ("\\boxed{7}", found[1])])} == {1.0}


def test_gpqa_becomes_choices_in_an_order_that_says_nothing(tmp_path: Path) -> None:
    names = [
        "Record ID",
        "Question",
        "Correct Answer",
        "Incorrect Answer 1",
        "Incorrect Answer 2",
        "Incorrect Answer 3",
        "Subdomain",
    ]
    with (tmp_path / "gpqa_diamond.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [
                names,
                *(
                    [f"rec{n}", f'What is\n{n}, "plainly"?', f"{n} ", f"{n + 1}", f"{n + 2}", f"-{n + 3}", "Numbers"]
                    for n in range(80)
                ),
            ]
        )
    config = suite("gpqa-diamond", tmp_path / "gpqa_diamond.csv")
    found = rows(config)
    assert found == rows(config)
    assert all(f"({row.answer}) {number}" in row.prompt.splitlines() for number, row in enumerate(found))
    assert {letter: sum(row.answer == letter for row in found) >= 10 for letter in "ABCD"} == dict.fromkeys(
        "ABCD", True
    )
    assert asked(found[0], config.prompt).prompt.endswith("put the letter of the right choice within \\boxed{}.")
    right = judged([(f"\\boxed{{{row.answer}}}", row) for row in found])
    wrong = judged([("\\boxed{A}" if row.answer != "A" else "\\boxed{B}", row) for row in found])
    assert ({score.reward for score in right}, {score.reward for score in wrong}) == ({1.0}, {0.0})


def test_a_choice_that_stands_there_twice_is_put_aside(tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text(
        "Record ID,Question,Correct Answer,Incorrect Answer 1,Incorrect Answer 2,Incorrect Answer 3\n1,Q?,a,b,b,c\n"
    )
    (row,) = read(suite("gpqa-diamond", tmp_path / "q.csv"))
    assert isinstance(row, QuarantinedRow)
    assert row.reason == "an empty choice, or one that stands there twice"


def pickled(text: str, protocol: int = 4) -> bytes:
    """A text as Python's pickles hold it: protocol 2 or 4, short, long and very long."""
    data = text.encode()
    if protocol == 2:
        return b"\x80\x02X" + struct.pack("<I", len(data)) + data + b"q\x00."
    if len(data) < 256:
        body = b"\x8c" + struct.pack("<B", len(data))
    else:
        body = b"X" + struct.pack("<I", len(data)) if len(data) < 60_000 else b"\x8d" + struct.pack("<Q", len(data))
    body += data + b"\x94."
    return b"\x80\x04\x95" + struct.pack("<Q", len(body)) + body


def packed(cases: list[Record], protocol: int = 4) -> str:
    """Private tests as LiveCodeBench publishes them."""
    return base64.b64encode(zlib.compress(pickled(json.dumps(cases), protocol))).decode()


def contest(**given: Any) -> Record:
    common = {"question_title": "t", "platform": "atcoder", "difficulty": "easy", "contest_date": "2024-01-01T00:00:00"}
    return common | {"starter_code": "", "metadata": "{}"} | given


DOUBLE = contest(
    question_id="abc1_a",
    question_content="Read n and print twice as much.",
    public_test_cases=json.dumps([{"input": "1\n", "output": "2\n", "testtype": "stdin"}]),
    private_test_cases=packed([{"input": "21\n", "output": "42\n", "testtype": "stdin"}]),
)
PAIR = contest(
    question_id="2727",
    platform="leetcode",
    question_content="Return the positions of two numbers whose sum is target.",
    starter_code="class Solution:\n    def twoSum(self, nums: List[int], target: int) -> List[int]:\n        ",
    metadata='{"func_name": "twoSum"}',
    public_test_cases=json.dumps([{"input": "[2, 7, 11]\n9", "output": "[0, 1]", "testtype": "functional"}]),
    private_test_cases=packed([{"input": "[3, 3]\n6", "output": "[0, 1]", "testtype": "functional"}], protocol=2),
)
SOLUTION = """class Solution:
    def twoSum(self, nums: List[int], target: int) -> List[int]:
        return next((i, j) for j in range(len(nums)) for i in range(j) if nums[i] + nums[j] == target)
"""


def test_livecodebench_is_read_with_its_packed_tests_and_solved_by_its_solutions(tmp_path: Path) -> None:
    need_program("bwrap")
    file = tmp_path / "test.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in (DOUBLE, PAIR)))
    config = suite("livecodebench", file)
    double, pair = rows(config)
    assert double.tests is not None
    assert pair.tests is not None
    assert [case.stdin for case in double.tests.stdio] == ["1\n", "21\n"]
    assert (pair.tests.entry_point, pair.tests.calls[1].args) == ("twoSum", ([3, 3], 6))
    assert "class Solution:\n    def twoSum" in asked(pair, config.prompt).prompt
    assert "class" not in asked(double, config.prompt).prompt.partition("Write a Python")[0]
    good = [("```python\nprint(2 * int(input()))\n```", double), (f"```python\n{SOLUTION}```", pair)]
    bad = [("```python\nprint(2)\n```", double), ("```python\ndef twoSum(nums, target):\n    return [0, 2]\n```", pair)]
    assert [score.reward for score in judged(good + bad)] == [1.0, 1.0, 0.0, 0.0]


CALL = b"\x80\x02cbuiltins\nprint\nX\x03\x00\x00\x00run\x85R."
"""What would print, were it run."""


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickled_text_is_read(protocol: int) -> None:
    for text in ("", "x", "[1, 2]", "\u4e2d" * 100, "y" * 70_000):
        assert pickled_text(pickled(text, protocol)) == text


@pytest.mark.parametrize(
    "data",
    [
        CALL,
        b"\x80\x02]X\x01\x00\x00\x00xa.",  # a list
        b"\x80\x02K\x03.",  # a number
        b"\x80\x02X\x01\x00\x00\x00xX\x01\x00\x00\x00y.",  # two texts
        b"\x80\x02X\xff\xff\xff\xffx",  # longer than it is
        b"\x80\x02.",
        b"",
    ],
)
def test_anything_else_that_is_pickled_is_refused_and_not_run(data: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="pickle"):
        pickled_text(data)
    assert capsys.readouterr().out == ""


def test_private_tests_that_are_no_tests_put_their_row_aside(tmp_path: Path) -> None:
    hostile = [
        base64.b64encode(zlib.compress(CALL)).decode(), "not base64!", packed([])[:-8], "[1]",
        base64.b64encode(b"no zlib").decode(), packed([{"input": "1"}]),
    ]  # fmt: skip
    file = tmp_path / "test.jsonl"
    file.write_text(
        "".join(
            json.dumps(DOUBLE | {"question_id": str(n), "private_test_cases": text}) + "\n"
            for n, text in enumerate(hostile)
        )
    )
    found = read(suite("livecodebench", file))
    assert {row.reason for row in found if isinstance(row, QuarantinedRow)} == {"no tests in the form of livecodebench"}
    assert len(found) == len(hostile)


@pytest.mark.long
@pytest.mark.parametrize("name", ["chain-sum", "basic-arithmetic"])
def test_a_generators_problems_are_solved_by_its_answers(name: str) -> None:
    pytest.importorskip("reasoning_gym")
    config = SuiteConfig.model_validate({"known": name, "source": {"size": 20}})
    found = rows(config)
    assert len(found) == 20
    assert {score.reward for score in judged([(boxed({}, row), row) for row in found])} == {1.0}
