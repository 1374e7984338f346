"""LiveCodeBench's problems (Jain et al. 2024): tests by standard input or by calls, some of them packed."""

import base64
import binascii
import json
import struct
import zlib
from collections.abc import Mapping
from typing import Any

from r1flow.components.core.tests import CallCase, CodeTests, StdioCase

SECONDS, TOTAL_SECONDS = 6.0, 300.0
"""For one test, as its authors allow; for all of them."""
MAX_BYTES = 256 * 2**20
"""Of unpacked tests."""
PREAMBLE = "\n".join(
    [
        "import bisect, collections, copy, functools, heapq, itertools, math, operator, random, re, string, sys",
        "from typing import *",
        "from bisect import *",
        "from collections import *",
        "from functools import *",
        "from heapq import *",
        "from itertools import *",
        "from math import ceil, comb, factorial, floor, gcd, inf, isqrt, lcm, log, log2, sqrt",
        "",
    ]
)
"""What solutions may use without importing it: their authors' judge puts such a preamble before them too."""


def livecodebench_tests(record: Mapping[str, Any]) -> CodeTests:
    """Public and private tests of a record of ``code_generation`` or ``code_generation_lite``.

    Problems with ``func_name`` in their ``metadata`` are called (the method of a class ``Solution``, or a function), all
    others read standard input. Raises ValueError, KeyError or TypeError for anything else.
    """
    cases = [*_cases(record["public_test_cases"]), *_cases(record["private_test_cases"])]
    metadata = record.get("metadata") or {}
    name = (json.loads(metadata) if isinstance(metadata, str) else metadata).get("func_name")
    limits: dict[str, Any] = {"prefix": PREAMBLE, "seconds": SECONDS, "total_seconds": TOTAL_SECONDS}
    if name:
        calls = tuple(CallCase(args=_lines(case["input"]), expected=json.loads(case["output"])) for case in cases)
        return CodeTests(calls=calls, entry_point=name, **limits)
    return CodeTests(stdio=tuple(StdioCase(stdin=case["input"], stdout=case["output"]) for case in cases), **limits)


def _lines(text: str) -> tuple[Any, ...]:
    """One JSON value a line."""
    return tuple(json.loads(line) for line in text.split("\n") if line.strip())


def _cases(packed: str | list[dict[str, str]]) -> list[dict[str, str]]:
    """Test cases as they are, as JSON, or as the JSON text that was pickled, compressed and encoded."""
    if not isinstance(packed, str):
        return packed
    if packed.lstrip()[:1] not in ("[", ""):
        packed = pickled_text(_unpacked(packed))
    found: list[dict[str, str]] = json.loads(packed or "[]")
    return found


def _unpacked(text: str) -> bytes:
    try:
        unpacking = zlib.decompressobj()
        data = unpacking.decompress(base64.b64decode(text, validate=True), MAX_BYTES)
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"private tests that cannot be unpacked: {error}") from error
    if not unpacking.eof:
        raise ValueError(f"private tests of more than {MAX_BYTES} bytes, or cut off")
    return data


def pickled_text(data: bytes) -> str:
    """The one text that a pickle holds, read without running it: only the codes that a text needs are understood.

    Raises ValueError for a pickle that holds anything else.
    """
    position, text = 0, None
    while position < len(data):
        code, position = data[position : position + 1], position + 1
        if code == b".":
            break
        if code == b"\x80":  # PROTO
            position += 1
        elif code == b"\x95":  # FRAME
            position += 8
        elif code == b"q":  # BINPUT
            position += 1
        elif code == b"r":  # LONG_BINPUT
            position += 4
        elif code == b"\x94":  # MEMOIZE
            pass
        elif code in _LENGTHS and text is None:
            form = _LENGTHS[code]
            (length,) = struct.unpack_from(form, data, position)
            position += struct.calcsize(form)
            if position + length > len(data):
                raise ValueError("a pickle that is cut off")
            text, position = data[position : position + length].decode("utf-8"), position + length
        else:
            raise ValueError("a pickle that holds more than a text")
    if text is None:
        raise ValueError("a pickle without a text")
    return text


_LENGTHS = {b"X": "<I", b"\x8c": "<B", b"\x8d": "<Q"}  # BINUNICODE, SHORT_BINUNICODE, BINUNICODE8
