"""What passes between the pool and a worker: frames of JSON over two pipes.

A frame is its length (four bytes, big-endian) and that many bytes of ASCII JSON; escapes carry every character, lone
surrogates too. A request is two frames: the row, whose bytes are the same for all completions of a prompt so that both
sides keep what they made of it, and ``{"try", "seconds", "gold", "completion"}``, where ``gold`` is false if the gold has
yet to be tried. Answers are one frame each: ``{"ready": true}`` once; then per request ``{"try", "gold": true}`` where the
gold was tried and proved usable, and at its end ``{"try"}`` with ``score`` (four fields), or with ``failure`` (a reason)
and ``memory`` (whether it ran out). All carry ``cpu``, the processor seconds used so far, all but ``gold`` ``rss``, bytes.

No pickle: a worker has read hostile text, and what it says is data.
"""

import json
import struct
from typing import Any

from r1flow.components.core.schema import Row
from r1flow.components.core.verdict import Verdict
from r1flow.components.rewards.base import Score

HEAD = struct.Struct(">I")
MAX_FRAME = 256 * 2**20
MAX_COMPLETION = 16 * 2**20
"""Characters; each takes at most twelve bytes of a frame."""
MAX_TEXT = 64 * 2**10
"""Characters of ``Score.extracted`` and ``Score.detail`` that come back; the rest of a longer text is cut off."""


def frame(body: bytes) -> bytes:
    """``body`` with its length in front. Raises ``ValueError`` above ``MAX_FRAME``."""
    if len(body) > MAX_FRAME:
        raise ValueError(f"a message of {len(body)} bytes; the most is {MAX_FRAME}")
    return HEAD.pack(len(body)) + body


def encode(message: dict[str, Any]) -> bytes:
    """One frame. Raises ``ValueError``, ``TypeError`` or ``RecursionError`` for what JSON cannot hold."""
    return frame(json.dumps(message).encode("ascii"))


def encode_row(row: Row) -> bytes:
    """A row as a frame, with all its fields. Raises like ``encode``."""
    return encode(row.model_dump())


def decode_row(body: bytes) -> Row:
    """The row again; JSON arrays become the tuples they were. Raises pydantic's ``ValidationError`` or ``ValueError``."""
    return Row.model_validate(json.loads(body), strict=False)


def score_fields(score: Score) -> list[Any]:
    """A score as JSON values."""
    extracted, detail = (text and text[:MAX_TEXT] for text in (score.extracted, score.detail))
    return [score.reward, score.verdict, extracted, detail]


def read_score(fields: list[Any]) -> Score:
    """The score again. Raises ``ValueError`` for a verdict that does not exist."""
    reward, verdict, extracted, detail = fields
    return Score(reward, None if verdict is None else Verdict(verdict), extracted, detail)


class Frames:
    """Cuts a stream of bytes, which arrives in pieces, into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """The messages that ``data`` completes. Raises ``ValueError`` for what is no frame of JSON."""
        self._buffer += data
        messages: list[dict[str, Any]] = []
        while len(self._buffer) >= HEAD.size:
            (length,) = HEAD.unpack_from(self._buffer)
            if length > MAX_FRAME:
                raise ValueError(f"a message of {length} bytes; the most is {MAX_FRAME}")
            end = HEAD.size + length
            if len(self._buffer) < end:
                break
            messages.append(json.loads(self._buffer[HEAD.size : end]))
            del self._buffer[:end]
        return messages
