"""The process that judges: one item at a time, until its parent ends it or is gone.

``python -m r1flow.components.rewards.pool.worker MODULE:FUNCTION MEMORY_BYTES PARENT_PID`` reads requests on standard input and
answers on standard output (``wire``); what libraries print goes nowhere, and standard error is the pool's to read.

It may hang in one C call for hours, so nothing here relies on its own cooperation. The kernel ends it when its parent
dies (PR_SET_PDEATHSIG; elsewhere than on Linux the end of its input does) and when it runs over an item's clock
(ITIMER_REAL with SIGALRM's default action, a moment after the pool's own SIGKILL should have come).
"""

import contextlib
import importlib
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from r1flow.components.core.schema import Row
from r1flow.components.processes.prctl import PR_SET_PDEATHSIG, prctl
from r1flow.components.rewards.base import Score
from r1flow.components.rewards.pool.wire import HEAD, decode_row, encode, score_fields

Judge = Callable[[str, Row], Score]

ALARM_AFTER_S = 1.0
PROBE = "<think></think>\\boxed{0}"
"""An answer that costs nothing: what goes wrong when it is judged is the doing of the gold."""
WARM_UP = (("\\sin^2 x", "1-\\cos^2 x"), ("\\log_2 3", "\\frac{\\ln 3}{\\ln 2}"), ("[0,\\ln 2)", "[0,\\ln 3)"))
"""None of them is decided without algebra, which is what is to be warm."""


def main(judge_name: str, memory_bytes: int, parent_pid: int) -> None:
    """Set the limits, import and warm up the judge, say ready, then serve."""
    _die_with_parent(parent_pid)
    _limit(memory_bytes)
    requests, answers = _take_channels()
    module, _, function = judge_name.partition(":")
    judge: Judge = getattr(importlib.import_module(module), function)
    for gold, answer in WARM_UP:  # the first use of a grammar costs about a second, which is nobody's clock
        judge(f"<think></think>\\boxed{{{answer}}}", Row(id="", prompt="", answer=gold, verifier="math", source=""))
    _send(answers, {"ready": True, "cpu": time.process_time(), "rss": _resident_bytes()})
    _Server(judge, requests, answers).serve()


class _Server:
    """Reads requests and answers them in turn."""

    def __init__(self, judge: Judge, requests: BinaryIO, answers: int) -> None:
        self._judge = judge
        self._requests = requests
        self._answers = answers

    def serve(self) -> None:
        """Until the input ends."""
        while (row := self._read()) is not None and (item := self._read()) is not None:
            self._answer(row, json.loads(item))

    def _read(self) -> bytes | None:
        """The body of the next frame; None at the end of the input."""
        head = self._requests.read(HEAD.size)
        if len(head) < HEAD.size:
            return None
        (length,) = HEAD.unpack(head)
        body = self._requests.read(length)
        return body if len(body) == length else None

    def _answer(self, row_body: bytes, item: dict[str, Any]) -> None:
        """Judge one item and send what became of it."""
        number, seconds = item["try"], item["seconds"]
        answer: dict[str, Any]
        try:
            _alarm(seconds)
            row = _row(row_body)
            score = None if item["gold"] else self._broken_gold(row)
            if score is None:
                if not item["gold"]:
                    _send(self._answers, {"try": number, "gold": True, "cpu": time.process_time()})
                    _alarm(seconds)
                score = self._judge(item["completion"], row)
            answer = {"score": score_fields(score)}
        except MemoryError:
            answer = {"failure": "out of memory", "memory": True}
        except Exception as error:  # whatever the libraries underneath raise is a finding about this item, never an end
            answer = {"failure": f"{type(error).__name__}: {str(error)[:500]}", "memory": False}
        _alarm(0)
        _send(self._answers, {"try": number, "cpu": time.process_time(), "rss": _resident_bytes(), **answer})

    def _broken_gold(self, row: Row) -> Score | None:
        """What the judge says where the row's gold cannot be used, else None."""
        score = self._judge(PROBE, row)
        return score if score.verdict is None else None


@lru_cache(maxsize=32)
def _row(body: bytes) -> Row:
    return decode_row(body)


def _send(answers: int, message: dict[str, Any]) -> None:
    """Write one frame whole; the pool reads all the time."""
    left = memoryview(encode(message))
    while left:
        left = left[os.write(answers, left) :]


def _alarm(seconds: float) -> None:
    """Have the kernel end this process a moment after ``seconds``; 0 calls it off."""
    signal.setitimer(signal.ITIMER_REAL, seconds + ALARM_AFTER_S if seconds else 0)


def _die_with_parent(parent_pid: int) -> None:
    """End with the thread that started this process: the pool's dispatcher, which lives as long as the pool."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it died before the line above could count
        os._exit(1)


def _limit(memory_bytes: int) -> None:
    """Bound the address space, write no core files, and be the kernel's first choice when memory runs out.

    The soft limit alone: sandboxes that a judge starts set their own, which a lowered hard limit would cap.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    soft = memory_bytes if hard == resource.RLIM_INFINITY else min(memory_bytes, hard)
    with contextlib.suppress(ValueError):  # macOS refuses a limit below what is mapped already
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    with contextlib.suppress(OSError):  # no such file on macOS, or a container that forbids it
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")


def _take_channels() -> tuple[BinaryIO, int]:
    """Keep the pipes under other numbers, which no child inherits, and leave nothing at 0 and 1."""
    requests, answers = os.dup(0), os.dup(1)
    for number, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY)):
        nothing = os.open(os.devnull, flags)
        os.dup2(nothing, number)
        os.close(nothing)
    return open(requests, "rb"), answers


def _resident_bytes() -> int:
    """This process's resident memory; 0 where the system has no /proc."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    except OSError:
        return 0


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
