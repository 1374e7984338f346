"""JSON Lines: a record a line, each judged by itself."""

import zlib
from collections.abc import Iterator
from typing import IO

from r1flow.components.data.sources.records import MAX_LINE_BYTES, Broken, Records, parse_json

BROKEN_STREAM = (OSError, EOFError, zlib.error)
TAIL = "cut off or damaged: the rest of the file cannot be read"


def read_jsonl(file: IO[bytes]) -> Records:
    """Records of a JSONL stream; empty lines are passed over."""
    for number, line in numbered_lines(file):
        if isinstance(line, Broken):
            yield line
        elif line.strip():
            yield parse_json(number, line)


def numbered_lines(file: IO[bytes]) -> Iterator[tuple[int, bytes | Broken]]:
    """Lines with their numbers; a line over ``MAX_LINE_BYTES`` is cut just past that, for the parser to refuse.

    Where the stream itself is broken (a truncated archive), what could not be read is one last ``Broken`` in the place of
    the first line that is not whole.
    """
    number = 0
    try:
        while line := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            whole = line
            while len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
                line = file.readline(MAX_LINE_BYTES + 1)
            yield number, whole
    except BROKEN_STREAM as error:
        yield number + 1, Broken(number + 1, TAIL, str(error), tail=True)
