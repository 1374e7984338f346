"""The tests of a programming problem, as plain data inside a row."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

ProgramLanguage = Literal["python", "c", "cpp", "javascript"]


class StdioCase(BaseModel):
    """What goes in on standard input and what has to come out on standard output."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stdin: str
    stdout: str


class CallCase(BaseModel):
    """Positional arguments, as JSON values, and the value that ``entry_point`` has to return."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    args: tuple[JsonValue, ...]
    expected: JsonValue


class CodeTests(BaseModel):
    """One kind of tests: ``stdio``, ``calls`` of ``entry_point``, or ``assertions`` (a Python test program)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    language: ProgramLanguage = "python"
    stdio: tuple[StdioCase, ...] = ()
    calls: tuple[CallCase, ...] = ()
    assertions: str = ""
    entry_point: str | None = None
    prefix: str = ""
    """Code that the prompt began and the completion goes on with; put in front where ``entry_point`` is not defined."""
    isolation: Literal["two", "one"] = "two"
    """``one``: the assertions handle objects of the program's own classes, so both run in one process: weaker, and
    refused unless the caller allows it. See ``r1flow.components.rewards.code.needs_one_process``."""
    seconds: Annotated[float, Field(gt=0, le=60)] = 4.0
    """For one test."""
    total_seconds: Annotated[float, Field(gt=0, le=300)] = 20.0
    """For all of them."""
