import gzip
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r1flow.components.core.errors import DataError
from r1flow.components.core.schema import QuarantinedRow, Row
from r1flow.components.data.intake import Intake
from r1flow.components.recipe.data import SourceConfig
from r1flow.components.recipe.origins import Origin, dataset_origins, suite_origins
from r1flow.components.recipe.presets import load_recipe
from tests.runs import ROOT

SHARED = ROOT.parent / "shared" / "data"
FILES = {
    "problems.sources.aime": "aime_1983_2023/train", "problems.sources.math": "math/train_answers",
    "problems.sources.gsm8k": "gsm8k/train", "suites.gsm8k.source": "gsm8k/test",
    "suites.math500.source": "math500/test.rows000-249", "suites.aime24.source": "aime24/test",
    "suites.amc23.source": "amc23/test", "suites.olympiadbench.source": "olympiadbench/test",
}  # fmt: skip


def origin(path: Path, name: str, **source: Any) -> Origin:
    return Origin(name, f"dataset.sources.{name}", SourceConfig.model_validate({"uri": str(path), **source}))


def test_a_broken_source_does_not_hide_behind_a_large_one(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
    good.write_text('{"prompt": "p", "answer": "1"}\n' * 1000)
    bad.write_text('{"prompt": "p", "answer": "1"}\n' * 9 + "{\n")
    intake = Intake(0.05)
    with pytest.raises(DataError, match=r"bad: 1 of 10 lines(?s:.*)1  not JSON  \(first: line 10: \{\)"):
        list(intake.items([origin(good, "good"), origin(bad, "bad")], 0))
    assert (
        intake.total([origin(good, "good"), origin(bad, "bad")]).total,
        intake.tallies["dataset.sources.bad"].bad,
    ) == (
        1010,
        1,
    )


def parquet(rows: list[dict[str, str]], path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=500)


WRITE: dict[str, Callable[[list[dict[str, str]], Path], object]] = {
    ".jsonl.gz": lambda rows, path: path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode(), 1)),
    ".json": lambda rows, path: path.write_text(json.dumps(rows)),
    ".csv": lambda rows, path: path.write_text("prompt,answer\n" + "".join(f"{r['prompt']},1\n" for r in rows)),
    ".parquet": parquet,
}  # fmt: skip


@pytest.mark.parametrize("suffix", WRITE)
def test_memory_does_not_grow_with_a_file(tmp_path: Path, suffix: str) -> None:
    peaks = []
    for num in (10, 1000, 4000):  # the first one is for what is made once
        path = tmp_path / f"{num}{suffix}"
        WRITE[suffix]([{"prompt": f"{n} " + "x" * 1500, "answer": "1"} for n in range(num)], path)
        tracemalloc.start()
        count = sum(isinstance(item, Row) for item in Intake(0.0).items([origin(path, "s")], 0))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert count == num
    assert peaks[2] < peaks[1] + 500_000  # 3000 more rows: 4.5 MB, if they were held


def test_the_mathematics_preset_reads_the_published_files() -> None:
    if not SHARED.is_dir():
        pytest.skip("the shared data is not there")
    recipe = load_recipe("curate-math", [f"{key}.uri={SHARED / name}.jsonl" for key, name in FILES.items()])
    problems = recipe.datasets["problems"]
    intake = Intake(problems.max_bad_fraction)
    origins = [*dataset_origins(problems), *suite_origins(recipe.suites)]
    items = list(intake.items(origins, 0))
    found = {setting: (tally.rows, dict(tally.reasons)) for setting, tally in intake.tallies.items()}
    assert found == {
        "dataset.sources.aime": (969, {}),
        "dataset.sources.math": (7470, {"wrong type in 'answer'": 2, "empty 'answer'": 2}),  # golds that are null, or nothing
        "dataset.sources.gsm8k": (7473, {}),
        "suites.gsm8k.source": (1319, {}), "suites.math500.source": (250, {}), "suites.aime24.source": (30, {}),
        "suites.amc23.source": (40, {}), "suites.olympiadbench.source": (675, {}),
    }  # fmt: skip
    amc = [item for item in items if isinstance(item, Row) and item.source == "amc23"]
    assert (amc[0].id, amc[0].answer, amc[0].licence) == ("amc23:0", "27", "MAA, for evaluation only")


def reasons(path: Path, lines: list[Any], *, demonstrations: bool = False, **source: Any) -> list[Row | str]:
    """The rows of a file, and for each line that is none its number and why."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    items = Intake(1.0).items([origin(path, "s", **source)], 0, demonstrations=demonstrations)
    return [f"{item.line}: {item.reason}" if isinstance(item, QuarantinedRow) else item for item in items]


def test_a_problem_has_an_answer_or_tests(tmp_path: Path) -> None:
    columns = {"columns": {"prompt": "q", "completion": "c"}}
    lines = [{"q": "1+1", "c": "two", "answer": "2"}, {"q": "1+1", "c": "two"}, {"q": "1+1", "c": "two", "answer": ""}]
    first, *bad = reasons(tmp_path / "p.jsonl", lines, **columns)
    assert isinstance(first, Row)
    assert bad == ["2: no answer", "3: no answer"]
    tests = {"stdio": [{"stdin": "1", "stdout": "1"}]}
    (program,) = reasons(tmp_path / "c.jsonl", [{"prompt": "echo", "tests": tests}], verifier="code")
    assert isinstance(program, Row)
    assert (program.answer, program.tests is not None) == ("", True)


def test_a_demonstration_has_a_completion_and_needs_no_answer(tmp_path: Path) -> None:
    lines = [
        {"prompt": "1+1", "c": "two"}, {"prompt": "1+1", "c": ""}, {"prompt": "1+1"}, {"prompt": "1+1", "c": "2", "answer": "2"},
    ]  # fmt: skip
    columns = {"columns": {"completion": "c"}}
    first, *bad, last = reasons(tmp_path / "d.jsonl", lines, demonstrations=True, **columns)
    assert isinstance(first, Row)
    assert isinstance(last, Row)
    assert (first.completion, first.answer, last.answer) == ("two", "", "2")
    assert bad == ["2: no completion", "3: missing column 'c'"]
    lines = [{"prompt": "1+1", "answer": "2"}, {"prompt": "1+1", "c": "2"}]
    with pytest.raises(DataError, match="no completion"):  # whose column was not said
        reasons(tmp_path / "e.jsonl", lines, demonstrations=True, columns={"answer": "c"})


def test_demonstrations_may_be_conversations(tmp_path: Path) -> None:
    def talk(*texts: str) -> dict[str, Any]:
        roles = ("user", "assistant") * 3
        return {"messages": [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]}

    lines = [
        talk("hi", "hello"),
        talk("hi", "hello", "1+1?", "2"),
        talk("hi"),
        talk("hi", ""),
        {"messages": []},
        {"other": 1},
    ]
    one, two, *bad = reasons(tmp_path / "chat.jsonl", lines, demonstrations=True, columns={"messages": "messages"})
    assert isinstance(one, Row)
    assert isinstance(two, Row)
    assert (one.prompt, one.messages, one.completion, one.answer) == ("hi", None, "hello", "")
    assert two.completion == "2"
    assert two.messages is not None
    assert [turn.content for turn in two.messages] == ["hi", "hello", "1+1?"]
    assert bad == [
        "3: no completion",
        "4: no completion",
        "5: 'messages' is no conversation",
        "6: missing column 'messages'",
    ]
    asked = [talk("1+1?"), talk("1+1?") | {"answer": "2"}]
    bad, row = reasons(tmp_path / "asked.jsonl", asked, columns={"messages": "messages"})
    assert bad == "1: no answer"
    assert isinstance(row, Row)


def test_too_many_demonstrations_without_a_completion_are_an_error_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text('{"prompt": "1+1", "answer": "2"}\n' * 3)
    with pytest.raises(
        DataError, match=r"mine: 3 of 3 lines are unusable(?s:.*)3  no completion  \(first: line 1: 1\+1\)"
    ):
        list(Intake(0.5).items([origin(path, "mine")], 0, demonstrations=True))


def test_strings_of_the_tiny_world_are_demonstrated_and_its_sums_are_not() -> None:
    def made(generator: str, *, demonstrations: bool) -> list[Row | QuarantinedRow]:
        source = SourceConfig(generator=generator, size=12)
        return list(Intake(1.0).items([Origin("s", "x", source)], 3, demonstrations=demonstrations))

    strings = [item for item in made("tiny/string", demonstrations=True) if isinstance(item, Row)]
    assert len(strings) == 12
    assert all(row.completion and row.completion.endswith(f"</think>{row.answer}") for row in strings)
    plain = made("tiny/string", demonstrations=False)
    assert plain == [row.model_copy(update={"completion": None}) for row in strings]
    with pytest.raises(DataError, match="12  no completion"):
        made("tiny/sum", demonstrations=True)
