"""CSV and TSV. Every value is text; an empty cell is an empty text."""

import csv
from collections.abc import Iterator, Sequence
from typing import IO

from r1flow.components.core.errors import DataError
from r1flow.components.data.sources.lines import numbered_lines
from r1flow.components.data.sources.records import EXCERPT, MAX_LINE_BYTES, BadRow, Broken, Record, Records

QUOTE = b'"'


def read_csv(file: IO[bytes], delimiter: str, setting: str, header: Sequence[str] = ()) -> Records:
    """Records of a table whose first line names its columns, unless ``header`` does. DataError where that line is none.

    TSV without such a line is taken as plain: a tab divides cells, a line end records, and a quote is a quote.
    """
    csv.field_size_limit(MAX_LINE_BYTES)
    plain = bool(header) and delimiter == "\t"
    for number, text in numbered_lines(file) if plain else _logical_lines(numbered_lines(file)):
        if isinstance(text, Broken):
            yield text
        elif not header:
            header = _header(text, delimiter, setting)
        elif text.strip():
            yield _record(number, text, header, "" if plain else delimiter)


def _header(text: bytes, delimiter: str, setting: str) -> list[str]:
    try:
        header = _cells(text.removeprefix(b"\xef\xbb\xbf"), delimiter)
    except BadRow as reason:
        raise DataError(f"{setting}: the header line is {reason}; the first line names the columns") from None
    if len(set(header)) < len(header) or not all(name.strip() for name in header):
        raise DataError(f"{setting}: the header line names a column twice, or not at all: {header}")
    return header


def _record(number: int, text: bytes, header: Sequence[str], delimiter: str) -> Record | Broken:
    try:
        cells = _cells(text, delimiter)
        if len(cells) != len(header):
            raise BadRow("not as many cells as columns")
    except BadRow as reason:
        return Broken(number, str(reason), text[:EXCERPT])
    return Record(number, dict(zip(header, cells, strict=True)), text[:EXCERPT])


def _cells(text: bytes, delimiter: str) -> list[str]:
    """The cells of a line; without a delimiter, of a plain one with tabs."""
    if len(text) > MAX_LINE_BYTES:
        raise BadRow(f"longer than {MAX_LINE_BYTES} bytes")
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError:
        raise BadRow("not UTF-8") from None
    if not delimiter:
        return decoded.rstrip("\r\n").split("\t")
    try:
        rows = list(csv.reader([decoded], delimiter=delimiter, strict=True))
    except csv.Error:
        raise BadRow("broken quoting") from None
    if len(rows) != 1:
        raise BadRow("broken quoting")
    return rows[0]


def _logical_lines(lines: Iterator[tuple[int, bytes | Broken]]) -> Iterator[tuple[int, bytes | Broken]]:
    """Lines joined while a quote is open. A quote that never closes spoils its own line, not what follows it.

    A text is whole when it holds an even number of quotes, for a quote inside quotes is doubled. What is joined in vain
    (``MAX_LINE_BYTES`` long, or up to the end) is taken apart again: its first line stands alone and is found broken.
    """
    waiting: list[tuple[int, bytes]] = []
    size, open_quote = 0, False
    for number, line in lines:
        if isinstance(line, Broken):
            yield from waiting
            waiting, size, open_quote = [], 0, False
            yield number, line
            continue
        waiting.append((number, line))
        size += len(line)
        open_quote ^= line.count(QUOTE) % 2 == 1
        if not open_quote:
            yield waiting[0][0], b"".join(part for _, part in waiting)
        elif size > MAX_LINE_BYTES:
            yield from waiting
        else:
            continue
        waiting, size, open_quote = [], 0, False
    yield from waiting
