"""One row of data, and reading rows so that a bad line is put aside with a reason and never ends a run.

``read_rows`` raises nothing whatever the bytes are; ``check_quarantine`` decides afterwards whether too much was lost.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, ValidationError

from components.data.tests import CodeTests
from components.errors import DataError

MAX_LINE_BYTES = 8 * 2**20
MAX_TEXT = 1_000_000  # characters in one field
EXCERPT = 200
Verifier = Literal["exact", "math", "choice", "code"]
_LEVEL = re.compile(r"(?:Level )?(\d{1,6})", re.ASCII)


class Row(BaseModel):
    """A problem with the answer that a rule can check; ``completion`` is set where the row teaches (SFT)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: str
    prompt: str
    answer: str
    verifier: Verifier
    skill: str = "main"
    level: int | None = None
    source: str
    licence: str | None = None
    completion: str | None = None
    tests: CodeTests | None = None


@dataclass(frozen=True)
class ColumnMapping:
    """Which columns of a source become which fields; ``verifier``, ``skill`` and ``licence`` hold for all its rows.

    Without an ``id`` column a row is called ``source-00017`` after its line. ``answer_after="####"`` takes what follows
    the last marker of the answer column (GSM8K). ``tests`` holds ``CodeTests``, for the verifier ``code``, whose rows need
    no answer.
    """

    prompt: str = "prompt"
    answer: str = "answer"
    answer_after: str | None = None
    id: str | None = None
    level: str | None = None
    completion: str | None = None
    tests: str | None = None
    verifier: Verifier = "math"
    skill: str = "main"
    licence: str | None = None


@dataclass(frozen=True)
class QuarantinedRow:
    """A line that is no row: its 1-based number, a reason (few and stable, to be counted), its first characters."""

    source: str
    line: int
    reason: str
    excerpt: str


class _BadRow(Exception):
    """Carries the reason from where it is found to ``read_rows``."""


def read_rows(
    lines: Iterable[str | bytes], mapping: ColumnMapping, source: str
) -> tuple[list[Row], list[QuarantinedRow]]:
    """Rows and quarantined lines of a JSONL ``source``; empty lines are passed over. No content makes it raise."""
    rows: list[Row] = []
    bad: list[QuarantinedRow] = []
    seen: set[str] = set()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = _row(_parse(line), mapping, source, number)
            if row.id in seen:
                raise _BadRow("duplicate id")
        except _BadRow as reason:
            bad.append(QuarantinedRow(source, number, str(reason), _excerpt(line)))
            continue
        seen.add(row.id)
        rows.append(row)
    return rows, bad


def check_quarantine(rows: Sequence[Row], bad: Sequence[QuarantinedRow], max_bad_fraction: float) -> None:
    """DataError with a table of reasons when more than ``max_bad_fraction`` of the lines is bad, or no row is left."""
    total = len(rows) + len(bad)
    if rows and len(bad) <= max_bad_fraction * total:
        return
    head = (
        f"{len(bad)} of {total} lines are unusable (max_bad_fraction {max_bad_fraction})"
        if total
        else "no lines at all"
    )
    counts = Counter(entry.reason for entry in bad)
    first = {entry.reason: f"{entry.source} line {entry.line}: {entry.excerpt[:60]}" for entry in reversed(bad)}
    table = [f"  {count:>8}  {reason}  (first: {first[reason]})" for reason, count in counts.most_common()]
    raise DataError("\n".join([f"{head}, {len(rows)} rows left; mend the source or its column mapping", *table]))


def _parse(line: str | bytes) -> Mapping[str, Any]:
    if len(line) > MAX_LINE_BYTES:
        raise _BadRow(f"line longer than {MAX_LINE_BYTES} bytes")
    try:
        text = line.decode("utf-8") if isinstance(line, bytes) else line
    except UnicodeDecodeError:
        raise _BadRow("not UTF-8") from None
    try:
        record = json.loads(text.removeprefix("\ufeff"), parse_constant=_refuse_constant)
    except RecursionError:
        raise _BadRow("nested too deeply") from None
    except ValueError:  # also numbers of more digits than Python converts
        raise _BadRow("not JSON") from None
    if not isinstance(record, dict):
        raise _BadRow("not a JSON object")
    return record


def _refuse_constant(name: str) -> NoReturn:
    raise _BadRow("NaN or Infinity is not JSON")


def _row(record: Mapping[str, Any], mapping: ColumnMapping, source: str, number: int) -> Row:
    completion = None if mapping.completion is None else _text(record, mapping.completion)
    code = mapping.verifier == "code"
    answer = "" if code and mapping.answer not in record else _text(record, mapping.answer, numbers=True)
    if mapping.answer_after is not None:
        _, marker, answer = answer.rpartition(mapping.answer_after)
        if not marker:
            raise _BadRow(f"no {mapping.answer_after!r} in {mapping.answer!r}")
        answer = answer.strip()
    if not answer.strip() and completion is None and not code:
        raise _BadRow(f"empty {mapping.answer!r}")
    return Row(
        id=f"{source}-{number:05d}" if mapping.id is None else _filled(record, mapping.id, numbers=True),
        prompt=_filled(record, mapping.prompt),
        answer=answer,
        verifier=mapping.verifier,
        skill=mapping.skill,
        level=None if mapping.level is None else _level(record, mapping.level),
        source=source,
        licence=mapping.licence,
        completion=completion,
        tests=_tests(record, mapping.tests or "tests") if code else None,
    )


def _column(record: Mapping[str, Any], name: str) -> Any:
    if name not in record:
        raise _BadRow(f"missing column {name!r}")
    return record[name]


def _text(record: Mapping[str, Any], name: str, *, numbers: bool = False) -> str:
    """The column as text that can be stored and tokenised; with ``numbers``, 27 and 27.0 are accepted as written."""
    value = _column(record, name)
    if numbers and isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        value = repr(value)
    if not isinstance(value, str):
        raise _BadRow(f"wrong type in {name!r}")
    if len(value) > MAX_TEXT:
        raise _BadRow(f"{name!r} longer than {MAX_TEXT} characters")
    if "\0" in value:
        raise _BadRow(f"null byte in {name!r}")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise _BadRow(f"lone surrogate in {name!r}") from None
    return value


def _filled(record: Mapping[str, Any], name: str, *, numbers: bool = False) -> str:
    value = _text(record, name, numbers=numbers)
    if not value.strip():
        raise _BadRow(f"empty {name!r}")
    return value


def _tests(record: Mapping[str, Any], name: str) -> CodeTests:
    try:
        return CodeTests.model_validate(_column(record, name))
    except ValidationError:
        raise _BadRow(f"{name!r} are no tests") from None


def _level(record: Mapping[str, Any], name: str) -> int | None:
    """A whole number, ``"3"`` or ``"Level 3"`` (MATH), or null."""
    value = _column(record, name)
    if value is None:
        return None
    match = _LEVEL.fullmatch(str(value)) if isinstance(value, int | str) and not isinstance(value, bool) else None
    if match is None:
        raise _BadRow(f"{name!r} is not a level")
    return int(match[1])


def _excerpt(line: str | bytes) -> str:
    """The line's beginning, printable and encodable whatever it holds."""
    head = line[:EXCERPT]
    text = head.decode("utf-8", "backslashreplace") if isinstance(head, bytes) else head
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)[:EXCERPT]
