import pytest
from pydantic import ValidationError

from r1flow.components.core.schema import Message, Row


def test_rows_are_strict_and_frozen() -> None:
    row = Row(id="r", prompt="p", answer="a", verifier="exact", source="s")
    with pytest.raises(ValidationError):
        row.answer = "b"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        Row(id="r", prompt="p", answer=2, verifier="exact", source="s")  # type: ignore[arg-type]


def test_a_conversation_ends_with_the_users_turn() -> None:
    turns = (Message(role="user", content="1+1"), Message(role="assistant", content="2"))
    with pytest.raises(ValidationError, match="end with the user's turn"):
        Row(id="r", prompt="p", messages=turns, answer="a", verifier="exact", source="s")


def test_a_row_comes_back_from_its_json_as_it_was() -> None:
    row = Row(
        id="r", prompt="p", messages=(Message(role="user", content="p"),), answer="a", verifier="exact",
        verifier_args={"index": 3, "config": {"terms": [1, 2.5]}}, language="pt-BR", source="s",
    )  # fmt: skip
    assert Row.model_validate_json(row.model_dump_json()) == row
