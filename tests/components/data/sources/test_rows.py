import math
from typing import Any

import pytest

from r1flow.components.core.schema import Message, Row
from r1flow.components.data.sources.rows import MAX_TEXT
from r1flow.components.recipe.data import SourceConfig
from tests.components.data.sources.reading import row_of


def source(**settings: Any) -> SourceConfig:
    mapping = settings.pop("columns", {})
    return SourceConfig(columns=mapping, **settings)


def fields(**changed: Any) -> dict[str, Any]:
    return {"prompt": "1+1", "answer": "2", **changed}


def test_a_record_becomes_a_row_by_the_columns_of_its_source() -> None:
    settings = source(
        columns={"prompt": "q", "id": "uid", "level": "level", "language": "lang"},
        skill="arithmetic", licence="MIT", verifier_args={"unit": "m"},
    )  # fmt: skip
    assert row_of({"q": "1+1", "answer": 2, "uid": 7, "level": "Level 3", "lang": "pt-BR"}, settings) == Row(
        id="s:7", prompt="1+1", answer="2", verifier="math", verifier_args={"unit": "m"}, skill="arithmetic",
        language="pt-BR", level=3, source="s", licence="MIT",
    )  # fmt: skip


def answer_of(columns: dict[str, Any], **mapping: Any) -> str:
    row = row_of(columns, source(columns=mapping))
    return row.answer if isinstance(row, Row) else f"bad: {row}"


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        (27, "27"), (27.0, "27"), (-0.5, "-0.5"), (2.0**60, "1.152921504606847e+18"), (["27"], "27"), ([27.0], "27"),
        ("1,234", "1,234"), ([1, 2], "bad: not one answer in 'answer'"), ([], "bad: not one answer in 'answer'"),
        (math.nan, "bad: no finite number in 'answer'"), (-math.inf, "bad: no finite number in 'answer'"),
        (True, "bad: wrong type in 'answer'"), (None, "bad: wrong type in 'answer'"),
        ({"a": 1}, "bad: wrong type in 'answer'"), ("", "bad: empty 'answer'"),
        ("\\frac{1}{", "bad: an answer that its verifier cannot read"),
    ],
)  # fmt: skip
def test_an_answer_is_a_text_a_number_or_a_list_of_one(value: Any, answer: str) -> None:
    assert answer_of(fields(answer=value)) == answer


def test_the_answer_may_stand_behind_its_last_marker() -> None:
    assert answer_of(fields(answer="a #### 1\n#### 1,234 "), answer_after="####") == "1,234"
    assert answer_of(fields(answer="1,234"), answer_after="####") == "bad: no '####' in 'answer'"
    assert answer_of(fields(answer="so ####"), answer_after="####") == "bad: empty 'answer'"


def test_the_answer_may_be_the_last_box() -> None:
    text = r"First $\boxed{1}$, then \boxed{\frac{1}{\sqrt{2}}}. Done"
    assert answer_of(fields(solution=text), answer="solution", answer_boxed=True) == r"\frac{1}{\sqrt{2}}"
    for broken in ("no box", r"\boxed{1", r"\boxed 7"):
        assert answer_of(fields(answer=broken), answer_boxed=True) == "bad: no box in 'answer'"


def test_a_teaching_row_needs_no_answer() -> None:
    settings = source(columns={"completion": "completion"})
    for columns in (fields(answer="", completion="hello"), {"prompt": "p", "completion": "hello"}):
        row = row_of(columns, settings)
        assert isinstance(row, Row)
        assert (row.answer, row.completion) == ("", "hello")


def test_a_name_with_dots_looks_into_columns() -> None:
    columns = {"extra": {"q": ["no", "1+1"]}, "reward.truth": "2"}
    row = row_of(columns, source(columns={"prompt": "extra.q.1", "answer": "reward.truth"}))
    assert isinstance(row, Row)
    assert (row.prompt, row.answer) == ("1+1", "2")
    for absent in ("extra.q.2", "extra.x", "extra.q.1.0", "x.y"):
        assert row_of(columns, source(columns={"prompt": absent})) == f"missing column {absent!r}"


def turns(*contents: str, system: str | None = None) -> list[dict[str, str]]:
    roles = ("user", "assistant")
    told = [{"role": roles[place % 2], "content": content} for place, content in enumerate(contents)]
    return [*([] if system is None else [{"role": "system", "content": system}]), *told]


def talk(messages: Any) -> Row | str:
    return row_of({"messages": messages, "answer": "2"}, source(columns={"messages": "messages"}))


def test_a_conversation_of_one_question_is_its_prompt() -> None:
    for messages in (turns("1+1"), turns("1+1", "")):
        row = talk(messages)
        assert isinstance(row, Row)
        assert (row.prompt, row.messages, row.completion) == ("1+1", None, None)


def test_a_longer_conversation_keeps_its_turns_and_what_answers_it_teaches() -> None:
    row = talk(turns("1+1", "2", "and 1?", "3", system="be brief"))
    assert isinstance(row, Row)
    assert row.messages is not None
    assert row.messages[0] == Message(role="system", content="be brief")
    assert [turn.role for turn in row.messages] == ["system", "user", "assistant", "user"]
    assert (row.prompt, row.completion) == ("be brief\n\n1+1\n\n2\n\nand 1?", "3")


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ("1+1", "wrong type in 'messages'"), ([], "'messages' is no conversation"), ([1], "'messages' is no conversation"),
        (turns(" "), "'messages' is no conversation"), ([{"role": "tool", "content": "x"}], "'messages' is no conversation"),
        ([{"role": [], "content": "x"}], "'messages' is no conversation"),
        ([{"role": "user"}], "wrong type in 'messages'"), (turns("a\0"), "null byte in 'messages'"),
    ],
)  # fmt: skip
def test_what_is_no_conversation_is_put_aside(messages: Any, reason: str) -> None:
    assert talk(messages) == reason


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"prompt": "p"}, "missing column 'answer'"),
        (fields(prompt=3), "wrong type in 'prompt'"),
        (fields(prompt=None), "wrong type in 'prompt'"),
        (fields(prompt=" "), "empty 'prompt'"),
        (fields(prompt="a\0b"), "null byte in 'prompt'"),
        (fields(prompt="\ud800"), "lone surrogate in 'prompt'"),
        (fields(prompt="x" * (MAX_TEXT + 1)), f"'prompt' longer than {MAX_TEXT} characters"),
        (fields(prompt=b"bytes"), "wrong type in 'prompt'"),
    ],
)
def test_a_bad_record_is_put_aside_with_its_reason(columns: dict[str, Any], reason: str) -> None:
    assert row_of(columns) == reason


@pytest.mark.parametrize("level", ["hard", 1.5, True, "Level ?", -1, [3], math.nan, math.inf])
def test_a_level_is_a_number(level: object) -> None:
    assert row_of(fields(level=level), source(columns={"level": "level"})) == "'level' is not a level"


@pytest.mark.parametrize("level", [3, 3.0, "3", "Level 3"])
def test_a_level_may_be_written_in_several_ways(level: object) -> None:
    row = row_of(fields(level=level), source(columns={"level": "level"}))
    assert isinstance(row, Row)
    assert row.level == 3


@pytest.mark.parametrize("language", ["englisch!", 3, "x" * 100])
def test_a_language_is_a_tag(language: object) -> None:
    assert (
        row_of(fields(language=language), source(columns={"language": "language"})) == "'language' is no language tag"
    )


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "arguments",
    [[1], "x", {1: 2}, {"a": math.nan}, {"a": "\ud800"}, {"a": nested(100)}, {"a": nested(10_000)}, {"a": {1}}],
)
def test_arguments_are_plain_json(arguments: Any) -> None:
    settings = source(columns={"verifier_args": "args"})
    assert row_of(fields(args=arguments), settings) == "'args' are no arguments"


def test_the_rows_arguments_go_over_the_sources() -> None:
    settings = source(columns={"verifier_args": "args"}, verifier_args={"a": 1, "b": 2})
    row = row_of(fields(args={"b": [3]}), settings)
    assert isinstance(row, Row)
    assert row.verifier_args == {"a": 1, "b": [3]}


def test_a_program_has_tests_and_needs_no_answer() -> None:
    settings = source(verifier="code")
    row = row_of({"prompt": "p", "tests": {"stdio": [{"stdin": "1", "stdout": "2"}]}}, settings)
    assert isinstance(row, Row)
    assert row.tests is not None
    for tests in ({"stdio": 1}, {"calls": [{"args": [nested(300)], "expected": 1}]}, {"assertions": "\ud800"}, None):
        assert row_of({"prompt": "p", "tests": tests}, settings) == "'tests' are no tests"
