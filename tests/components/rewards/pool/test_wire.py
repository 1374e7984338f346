"""The messages between pool and workers: every text arrives as it was sent, in whatever pieces."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from r1flow.components.core.schema import Row
from r1flow.components.core.tests import CallCase, CodeTests, StdioCase
from r1flow.components.core.verdict import Verdict
from r1flow.components.rewards.base import Score
from r1flow.components.rewards.pool import wire
from r1flow.components.rewards.pool.clock import SECONDS, wall_seconds

ANY_TEXT = st.text(st.characters())  # lone surrogates and null bytes too


def unframed(data: bytes) -> bytes:
    (length,) = wire.HEAD.unpack_from(data)
    assert len(data) == wire.HEAD.size + length
    return data[wire.HEAD.size :]


@given(st.lists(st.dictionaries(ANY_TEXT, ANY_TEXT | st.integers() | st.none(), max_size=3), max_size=4), st.data())
def test_messages_survive_being_cut_anywhere(messages: list[dict[str, Any]], data: st.DataObject) -> None:
    stream = b"".join(wire.encode(message) for message in messages)
    frames, received = wire.Frames(), []
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        received += frames.feed(stream[:cut])
        stream = stream[cut:]
    assert received == messages


@given(ANY_TEXT, ANY_TEXT)
def test_a_row_arrives_as_it_was_sent(prompt: str, answer: str) -> None:
    row = Row(id="r", prompt=prompt, answer=answer, verifier="math", source="s", level=3)
    assert wire.decode_row(unframed(wire.encode_row(row))) == row


def test_the_tests_of_a_program_arrive_with_the_row() -> None:
    tests = CodeTests(
        language="cpp",
        stdio=(StdioCase(stdin="\ud800\x00", stdout="1\n"),),
        calls=(CallCase(args=(1, "a", [2, {"k": None}]), expected=[1.5, float("inf")]),),
    )
    row = Row(id="r", prompt="p", answer="", verifier="code", source="s", tests=tests)
    assert wire.decode_row(unframed(wire.encode_row(row))) == row


@pytest.mark.parametrize(
    "score",
    [
        Score.of(Verdict.CORRECT, extracted="\ud800", detail="why"),
        Score.of(Verdict.TIMEOUT),
        Score.of(Verdict.INFRA, detail="no sandbox"),
        Score.unusable("no gold"),
        Score(0.0, Verdict.WRONG, "", ""),
    ],
)
def test_a_score_arrives_as_it_was_sent(score: Score) -> None:
    assert wire.read_score(json.loads(json.dumps(wire.score_fields(score)))) == score


def test_a_long_extract_is_cut() -> None:
    fields = wire.score_fields(Score.of(Verdict.WRONG, extracted="x" * (wire.MAX_TEXT + 1)))
    assert fields[2] == "x" * wire.MAX_TEXT


def test_a_length_out_of_bounds_is_refused_before_the_body_comes() -> None:
    with pytest.raises(ValueError, match="the most is"):
        wire.Frames().feed(wire.HEAD.pack(wire.MAX_FRAME + 1))


def test_the_longest_completion_of_the_longest_escapes_fits_a_frame() -> None:
    assert len(json.dumps("\U0001f600")) - 2 == 12
    assert wire.MAX_COMPLETION * 12 + 1000 < wire.MAX_FRAME


@pytest.mark.parametrize("language", ["python", "c", "cpp", "javascript"])
def test_a_program_has_more_time_than_its_tests_and_an_answer_the_pools(language: str) -> None:
    def row(verifier: str, tests: CodeTests | None = None) -> Row:
        return Row(id="r", prompt="p", answer="5", verifier=verifier, source="s", tests=tests)  # type: ignore[arg-type]

    tests = CodeTests(language=language, total_seconds=33.0)  # type: ignore[arg-type]
    assert wall_seconds(row("code", tests), 1.0) > 33.0
    assert wall_seconds(row("math")) == SECONDS
    assert wall_seconds(row("math"), 1.0) == 1.0
    assert wall_seconds(row("code"), 1.0) == 1.0
