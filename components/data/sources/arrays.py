"""A JSON array of objects, cut into its elements as it is read, so that one bad element is one bad record.

Only brackets and quotes are looked at here; what stands between them is parsed element by element, as a line of JSONL
would be. An incremental parser would give up at the first error and keep no limit on an element's size.
"""

import re
from typing import IO

from r1flow.components.data.sources.lines import BROKEN_STREAM, TAIL
from r1flow.components.data.sources.records import EXCERPT, MAX_LINE_BYTES, Broken, Record, Records, parse_json

_CHUNK = 2**16
_OUTSIDE = re.compile(rb'["\[\]{},]')
_INSIDE = re.compile(rb'[\\"]')


def read_json(file: IO[bytes]) -> Records:
    """Records of a JSON array, numbered from 1. What is no array at all is one ``Broken``."""
    cutter = _Cutter()
    try:
        while chunk := file.read(_CHUNK):
            yield from cutter.feed(chunk)
    except BROKEN_STREAM as error:
        yield Broken(cutter.number + 1, TAIL, str(error), tail=True)
        return
    yield from cutter.close()


class _Cutter:
    """Feeds on chunks of bytes; ``depth`` counts open brackets, the array's own being the first."""

    def __init__(self) -> None:
        self.number = 0
        self.depth = 0
        self.in_text = False
        self.escaped = False
        self.begun = self.ended = False
        self.element = bytearray()

    def feed(self, chunk: bytes) -> Records:
        position = 0
        if self.escaped and chunk:
            self._keep(chunk[:1])
            position, self.escaped = 1, False
        while position < len(chunk):
            if not self.begun or self.ended:
                position = self._around(chunk, position)
                continue
            found = (_INSIDE if self.in_text else _OUTSIDE).search(chunk, position)
            if found is None:
                self._keep(chunk[position:])
                return
            self._keep(chunk[position : found.start()])
            mark, position = found[0], found.end()
            if self.in_text:
                self._keep(mark)
                if mark == b"\\":
                    self._keep(chunk[position : position + 1])
                    self.escaped = position == len(chunk)
                    position += 1
                else:
                    self.in_text = False
            elif self.depth == 1 and mark in (b",", b"]"):
                if mark == b"," or self.element.strip() or self.number:
                    yield self._element()
                self.ended = mark == b"]"
            else:
                self._keep(mark)
                self.in_text = mark == b'"'
                self.depth += (mark in (b"[", b"{")) - (mark in (b"]", b"}"))
                self.depth = max(1, self.depth)

    def close(self) -> Records:
        if not self.begun or self.ended:
            if self.element.strip():
                what = "something behind the end of the array" if self.ended else "not a JSON array"
                yield Broken(self.number + 1, what, bytes(self.element[:EXCERPT]), tail=True)
            return
        yield Broken(self.number + 1, TAIL, bytes(self.element[:EXCERPT]), tail=True)

    def _around(self, chunk: bytes, position: int) -> int:
        """Before the array and behind it there may be nothing but white space (and a byte order mark)."""
        rest = chunk[position:]
        if not self.begun and not self.element:
            rest = rest.removeprefix(b"\xef\xbb\xbf").lstrip()
            if rest.startswith(b"["):
                self.begun, self.depth = True, 1
                return len(chunk) - len(rest) + 1
        self._keep(rest.strip())
        return len(chunk)

    def _keep(self, part: bytes) -> None:
        if len(self.element) <= MAX_LINE_BYTES:
            self.element += part[: MAX_LINE_BYTES + 1]

    def _element(self) -> Record | Broken:
        self.number += 1
        text, self.element = bytes(self.element).strip(), bytearray()
        return parse_json(self.number, text)
