"""What a reader of some format hands over: records one by one, and what it could not make a record of."""

import json
import reprlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from r1flow.components.core.redact import escaped

MAX_LINE_BYTES = 8 * 2**20
EXCERPT = 200

_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxdict, _SHORT.maxstring, _SHORT.maxother = 2, 8, 80, 80


class BadRow(Exception):
    """This record is no row; the message is the reason: one of few, so that reasons can be counted."""


@dataclass(frozen=True)
class Record:
    """A record as its source has it: its 1-based number (a line's, where there are lines), its columns, its raw text."""

    number: int
    columns: Mapping[str, Any]
    raw: str | bytes | None = None

    def excerpt(self) -> str:
        return printable(_SHORT.repr(dict(self.columns)) if self.raw is None else self.raw)


@dataclass(frozen=True)
class Broken:
    """What is no record, and why. ``tail`` where nothing behind it could be read either."""

    number: int
    reason: str
    raw: str | bytes = ""
    tail: bool = False

    def excerpt(self) -> str:
        return printable(self.raw)


Records = Iterator[Record | Broken]


def parse_json(number: int, text: str | bytes) -> Record | Broken:
    """One JSON object; whatever else the text is becomes a reason."""
    try:
        return Record(number, _object(text), text)
    except BadRow as reason:
        return Broken(number, str(reason), text[:EXCERPT])


def _object(text: str | bytes) -> dict[str, Any]:
    if len(text) > MAX_LINE_BYTES:
        raise BadRow(f"longer than {MAX_LINE_BYTES} bytes")
    try:
        decoded = text.decode("utf-8") if isinstance(text, bytes) else text
    except UnicodeDecodeError:
        raise BadRow("not UTF-8") from None
    try:
        record = _DECODER.decode(decoded.removeprefix("\ufeff"))
    except RecursionError:
        raise BadRow("nested too deeply") from None
    except ValueError:  # also numbers of more digits than Python converts
        raise BadRow("not JSON") from None
    if not isinstance(record, dict):
        raise BadRow("not a JSON object")
    return record


def _refuse_constant(name: str) -> NoReturn:
    raise BadRow("NaN or Infinity is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def printable(raw: str | bytes) -> str:
    """The beginning, printable and encodable whatever it holds."""
    head = raw[:EXCERPT]
    text = head.decode("utf-8", "backslashreplace") if isinstance(head, bytes) else head
    return escaped(text.strip())[:EXCERPT]
