"""The one form that every row of data has, whatever it was read from, and what is kept of a line that is no row."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, JsonValue, StringConstraints, model_validator

from r1flow.components.core.tests import CodeTests

Verifier = Literal["exact", "math", "choice", "code"]
LANGUAGE = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$"


class Message(BaseModel):
    """One turn of a conversation."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    role: Literal["system", "user", "assistant"]
    content: str


class Row(BaseModel):
    """A problem with the answer that a rule can check; ``completion`` is set where the row teaches (SFT).

    ``messages`` is set where the problem is more than one question: turns that end with the user's. ``prompt`` then holds
    their texts, so that whatever compares rows need not know conversations.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: str
    prompt: str
    messages: tuple[Message, ...] | None = None
    answer: str
    verifier: Verifier
    verifier_args: dict[str, JsonValue] | None = None
    tests: CodeTests | None = None
    skill: str = "main"
    language: Annotated[str, StringConstraints(pattern=LANGUAGE)] | None = None
    level: int | None = None
    source: str
    licence: str | None = None
    completion: str | None = None

    @model_validator(mode="after")
    def _one_problem(self) -> "Row":
        if self.messages is not None and (not self.messages or self.messages[-1].role != "user"):
            raise ValueError("messages end with the user's turn; what answers it is the completion")
        return self


@dataclass(frozen=True)
class QuarantinedRow:
    """A line that is no row: its 1-based number, a reason (few and stable, to be counted), its first characters."""

    source: str
    line: int
    reason: str
    excerpt: str
