"""From a record to a row, by the columns that the recipe names. Whatever does not fit is a reason, never an error."""

import math
import re
from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue, TypeAdapter, ValidationError

from r1flow.components.core.schema import LANGUAGE, Message, Row
from r1flow.components.core.tests import CodeTests
from r1flow.components.data.sources.choices import with_choices
from r1flow.components.data.sources.programs import upstream_tests
from r1flow.components.data.sources.records import BadRow
from r1flow.components.recipe.data import ColumnMapping, SourceConfig
from r1flow.components.rewards.accuracy import usable
from r1flow.components.rewards.mathematics.normal_form import closing

MAX_TEXT = 1_000_000  # characters in one field
MAX_DEPTH = 64  # of JSON inside a row
MAX_TURNS = 1000
EXACT_FLOAT = 2**53
_LEVEL = re.compile(r"(?:Level )?(\d{1,6})", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,40}(?:\.\d{1,40})?", re.ASCII)  # a gold that needs no look: half of the time is saved
_TAG = re.compile(LANGUAGE)
_BOX = re.compile(r"\\(?:boxed|fbox)\s*(?=\{)")
_JSON = TypeAdapter(dict[str, JsonValue])


def make_row(columns: Mapping[str, Any], source: SourceConfig, name: str, number: int) -> Row:
    """The row that a record of the source ``name`` is. Raises BadRow with the reason where it is none.

    Without an ``id`` column a row is called ``name-00017`` after its record's number, else ``name:id``, so that ids of
    different sources are different.
    """
    mapping = source.columns
    messages, completion = None, None
    if mapping.messages is not None:
        messages, completion = _conversation(_column(columns, mapping.messages), mapping.messages)
    prompt = _prompt(columns, mapping.prompt) if messages is None else "\n\n".join(turn.content for turn in messages)
    if mapping.completion is not None:
        completion = _text(columns, mapping.completion)
    code = source.judged_by == "code"
    answer = _answer(columns, source, optional=code or completion is not None or messages is not None)
    if mapping.wrong_choices:
        prompt, answer = with_choices(prompt, answer, [_text(columns, column) for column in mapping.wrong_choices])
    row = Row(
        id=f"{name}-{number:05d}" if mapping.id is None else f"{name}:{_filled(columns, mapping.id, numbers=True)}",
        prompt=prompt,
        messages=None if messages is None or (len(messages) == 1 and messages[0].role == "user") else messages,
        answer=answer,
        verifier=source.judged_by,
        verifier_args=_arguments(columns, source),
        tests=_tests(columns, mapping) if code else None,
        skill=source.skill,
        language=source.language if mapping.language is None else _language(columns, mapping.language),
        level=None if mapping.level is None else _level(columns, mapping.level),
        source=name,
        licence=source.licence,
        completion=completion,
    )
    if row.answer and not (row.verifier == "math" and _NUMBER.fullmatch(row.answer)) and not usable(row):
        raise BadRow("an answer that its verifier cannot read")
    return row


def _prompt(columns: Mapping[str, Any], names: str | tuple[str, ...]) -> str:
    """The column's text; of several columns, the texts of those that are filled."""
    if isinstance(names, str):
        return _filled(columns, names)
    parts = [_text(columns, name) for name in names if _lookup(columns, name) is not None]
    filled = [part for part in parts if part.strip()]
    if not filled:
        raise BadRow(f"empty {names[0]!r}")
    return "\n\n".join(filled)


def _answer(columns: Mapping[str, Any], source: SourceConfig, *, optional: bool) -> str:
    """The gold: the column's text, what its last marker or box holds, or the one element of a list."""
    name = source.columns.answer
    if optional and _lookup(columns, name) is None:
        return ""
    answer = _text(columns, name, numbers=True, single=True)
    if source.columns.answer_after is not None:
        _, marker, answer = answer.rpartition(source.columns.answer_after)
        if not marker:
            raise BadRow(f"no {source.columns.answer_after!r} in {name!r}")
        answer = answer.strip()
    if source.columns.answer_boxed:
        answer = _boxed(answer, name)
    if not answer.strip() and not optional:
        raise BadRow(f"empty {name!r}")
    return answer


def _boxed(text: str, name: str) -> str:
    opened = max((box.end() for box in _BOX.finditer(text)), default=-1)
    end = closing(text, opened) if opened >= 0 else None
    if end is None:
        raise BadRow(f"no box in {name!r}")
    return text[opened + 1 : end].strip()


def _conversation(turns: Any, name: str) -> tuple[tuple[Message, ...], str | None]:
    """The turns up to the last one of the user, and what the assistant answers to it, where it is filled in."""
    if not isinstance(turns, list | tuple) or len(turns) > MAX_TURNS:
        raise BadRow(f"wrong type in {name!r}")
    messages = []
    for turn in turns:
        if not isinstance(turn, Mapping) or turn.get("role") not in ("system", "user", "assistant"):
            raise BadRow(f"{name!r} is no conversation")
        messages.append(Message(role=turn["role"], content=_checked(turn.get("content"), name)))
    completion = None
    if messages and messages[-1].role == "assistant":
        completion = messages.pop().content or None
    if not messages or messages[-1].role != "user" or not messages[-1].content.strip():
        raise BadRow(f"{name!r} is no conversation")
    return tuple(messages), completion


def _lookup(columns: Mapping[str, Any], name: str) -> Any:
    """The column, or what lies inside one: ``a.b`` is ``b`` in ``a``, ``a.0`` the first element. None where absent."""
    if name in columns:
        return columns[name]
    value: Any = columns
    for part in name.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list | tuple) and part.isdecimal() and len(part) < 7 and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def _column(columns: Mapping[str, Any], name: str) -> Any:
    value = _lookup(columns, name)
    if value is None and name not in columns:
        raise BadRow(f"missing column {name!r}")
    return value


def _text(columns: Mapping[str, Any], name: str, *, numbers: bool = False, single: bool = False) -> str:
    """The column as text. With ``numbers``, a finite number as it is written, 27.0 as 27; with ``single``, of a list of one."""
    value = _column(columns, name)
    if single and isinstance(value, list | tuple):
        if len(value) != 1:
            raise BadRow(f"not one answer in {name!r}")
        value = value[0]
    if numbers and isinstance(value, int | float) and not isinstance(value, bool):
        value = _number(value, name)
    return _checked(value, name)


def _number(value: int | float, name: str) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        raise BadRow(f"no finite number in {name!r}")
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT_FLOAT:
        return str(int(value))
    try:
        return repr(value)
    except ValueError:  # more digits than Python writes
        raise BadRow(f"{name!r} longer than {MAX_TEXT} characters") from None


def _checked(value: Any, name: str) -> str:
    """Text that can be stored and tokenised."""
    if not isinstance(value, str):
        raise BadRow(f"wrong type in {name!r}")
    if len(value) > MAX_TEXT:
        raise BadRow(f"{name!r} longer than {MAX_TEXT} characters")
    if "\0" in value:
        raise BadRow(f"null byte in {name!r}")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise BadRow(f"lone surrogate in {name!r}") from None
    return value


def _filled(columns: Mapping[str, Any], name: str, *, numbers: bool = False) -> str:
    value = _text(columns, name, numbers=numbers)
    if not value.strip():
        raise BadRow(f"empty {name!r}")
    return value


def _arguments(columns: Mapping[str, Any], source: SourceConfig) -> dict[str, JsonValue] | None:
    """The source's arguments for its verifier, and over them the row's own."""
    name = source.columns.verifier_args
    if name is None:
        return source.verifier_args
    value = _column(columns, name)
    if not _plain(value):
        raise BadRow(f"{name!r} are no arguments")
    try:
        return (source.verifier_args or {}) | _JSON.validate_python(value)
    except ValidationError:
        raise BadRow(f"{name!r} are no arguments") from None


def _tests(columns: Mapping[str, Any], mapping: ColumnMapping) -> CodeTests:
    name = mapping.tests or "tests"
    if mapping.tests_as != "own":
        return upstream_tests(mapping.tests_as, columns)
    value = _column(columns, name)
    if not _plain(value):
        raise BadRow(f"{name!r} are no tests")
    try:
        return CodeTests.model_validate(value)
    except ValidationError:
        raise BadRow(f"{name!r} are no tests") from None


def _plain(value: Any) -> bool:
    """Whether JSON can hold the value and give it back: no deep nesting, finite numbers, text that can be encoded."""
    level = [value]
    for _ in range(MAX_DEPTH):
        if not all(_plain_scalar(item) for item in level):
            return False
        inner = [part for item in level if isinstance(item, dict) for part in (*item.keys(), *item.values())]
        level = inner + [part for item in level if isinstance(item, list | tuple) for part in item]
        if not level:
            return True
    return False


def _plain_scalar(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, str):
        return "\0" not in value and not any("\ud800" <= c <= "\udfff" for c in value)
    return value is None or isinstance(value, bool | int | dict | list | tuple)


def _language(columns: Mapping[str, Any], name: str) -> str | None:
    value = _column(columns, name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > 64 or not _TAG.fullmatch(value):
        raise BadRow(f"{name!r} is no language tag")
    return value


def _level(columns: Mapping[str, Any], name: str) -> int | None:
    """A whole number, ``"3"`` or ``"Level 3"`` (MATH), or null."""
    value = _column(columns, name)
    if value is None or value == "":
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    match = _LEVEL.fullmatch(str(value)) if isinstance(value, int | str) and not isinstance(value, bool) else None
    if match is None:
        raise BadRow(f"{name!r} is not a level")
    return int(match[1])
