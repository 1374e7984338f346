"""Completions that somebody stored: JSON lines, plain, ``.gz`` or ``.zst``, as problems with their samples.

A line that cannot be read ends the evaluation, with its number: a problem that is left out in silence moves every metric.
"""

import json
import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from r1flow.components.core.errors import DataError
from r1flow.components.core.schema import Row, Verifier
from r1flow.components.data.sources.files import decompressed, open_source
from r1flow.components.data.sources.records import MAX_LINE_BYTES
from r1flow.components.data.sources.rows import EXACT_FLOAT

ENDED = {"stop": True, "eos": True, "length": False, "max_tokens": False}  # what servers call the end of a completion


@dataclass(frozen=True)
class Columns:
    """Where a line has what. A dot leads into an object (``6b.solution``).

    ``completions`` are texts or lists of texts, all of them samples of the line's problem. ``problem`` is its name, and
    lines of one name are samples of one problem; without it every line is a problem. ``gold_after`` takes what follows
    the last such marker of the gold column. ``finished`` is true or false, or ``stop`` or ``length`` as servers say it;
    ``contaminated`` true, false or null.
    """

    gold: str = "gold"
    completions: tuple[str, ...] = ("completion",)
    gold_after: str | None = None
    problem: str | None = None
    finished: str | None = None
    contaminated: str | None = None


@dataclass
class Stored:
    """One problem and what was answered to it; ``finished`` stands beside ``texts``."""

    row: Row
    contaminated: bool | None
    texts: list[str] = field(default_factory=list)
    finished: list[bool | None] = field(default_factory=list)


def read_completions(path: Path, columns: Columns, verifier: Verifier) -> list[Stored]:
    """The problems of ``path`` in the order they first occur. DataError names the line and the column that is wrong."""
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    problems: dict[str, Stored] = {}
    for number, record in _records(path):
        line = _Line(path, number, record)
        gold = line.gold(columns)
        name = f"line-{number:05d}" if columns.problem is None else line.text(columns.problem, numbers=True)
        flag = None if columns.contaminated is None else line.flag(columns.contaminated)
        stored = problems.get(name) or Stored(_row(name, gold, verifier), flag)
        if (stored.row.answer, stored.contaminated) != (gold, flag):
            line.fail(f"problem {name!r} has another gold or another flag here than on a line before")
        problems[name] = stored
        texts = [text for column in columns.completions for text in line.texts(column)]
        stored.texts += texts
        stored.finished += line.finished(columns.finished, len(texts))
    if not problems:
        raise DataError(f"{path}: no lines at all")
    return list(problems.values())


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with open_source(str(path), "--completions") as raw:
        stream, number = decompressed(raw, path.suffix), 0
        try:
            while line := stream.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(line) > MAX_LINE_BYTES:
                    raise DataError(f"{path}, line {number}: longer than {MAX_LINE_BYTES} bytes")
                if line.strip():
                    yield number, _parsed(path, number, line)
        except (OSError, EOFError, zlib.error) as error:  # gzip's own, and a disk's
            raise DataError(f"{path}, after line {number}: cannot be read ({error})") from error


def _parsed(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}, line {number}: not JSON ({error})") from error
    if not isinstance(record, dict):
        raise DataError(f"{path}, line {number}: not a JSON object")
    return record


def _row(name: str, gold: str, verifier: Verifier) -> Row:
    return Row(id=name, prompt="", answer=gold, verifier=verifier, source="completions")


@dataclass(frozen=True)
class _Line:
    """One record, and the words for what is wrong with it."""

    path: Path
    number: int
    record: Mapping[str, Any]

    def fail(self, reason: str) -> NoReturn:
        raise DataError(f"{self.path}, line {self.number}: {reason}")

    def value(self, column: str) -> Any:
        if column in self.record:
            return self.record[column]
        value: Any = self.record
        for part in column.split("."):
            if not isinstance(value, dict) or part not in value:
                self.fail(f"no column {column!r}; there are {', '.join(map(repr, self.record))}")
            value = value[part]
        return value

    def text(self, column: str, *, numbers: bool = False) -> str:
        value = self.value(column)
        if numbers and isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            whole = isinstance(value, float) and value.is_integer() and abs(value) < EXACT_FLOAT
            return str(int(value)) if whole else repr(value)  # 27.0 is 27, as in curation
        if not isinstance(value, str):
            self.fail(f"no text under {column!r}")
        return value

    def gold(self, columns: Columns) -> str:
        text = self.text(columns.gold, numbers=True)
        if columns.gold_after is None:
            return text
        _, marker, answer = text.rpartition(columns.gold_after)
        if not marker:
            self.fail(f"no {columns.gold_after!r} in {columns.gold!r}")
        return answer.strip()

    def texts(self, column: str) -> list[str]:
        value = self.value(column)
        texts = value if isinstance(value, list) else [value]
        if not texts or not all(isinstance(text, str) for text in texts):
            self.fail(f"no text and no list of texts under {column!r}")
        return texts

    def finished(self, column: str | None, num: int) -> list[bool | None]:
        if column is None:
            return [None] * num
        value = self.value(column)
        values = value if isinstance(value, list) else [value] * num
        if len(values) != num:
            self.fail(f"{len(values)} values under {column!r} for {num} completions")
        ended = [ENDED.get(end) if isinstance(end, str) else end for end in values]
        if not all(isinstance(end, bool) for end in ended):
            self.fail(f"{column!r} is neither true, false nor one of {', '.join(ENDED)}")
        return ended

    def flag(self, column: str) -> bool | None:
        value = self.value(column)
        if value is not None and not isinstance(value, bool):
            self.fail(f"{column!r} is neither true, false nor null")
        return value
