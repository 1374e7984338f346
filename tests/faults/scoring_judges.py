"""Judges that the scoring tests have workers import: one without filters, and one that does as it is told."""

import logging
import os
import signal
import sys
import time

import math_verify

from r1flow.components.core.schema import Row
from r1flow.components.core.verdict import Verdict
from r1flow.components.rewards.accuracy import full_score
from r1flow.components.rewards.base import Score


def unguarded(completion: str, row: Row) -> Score:
    """The library under the verifier with no filter and no clock of its own; programs as the verifier judges them."""
    if row.verifier == "code":
        return full_score(completion, row)
    logging.getLogger("math_verify").setLevel(logging.ERROR)  # it warns that its clock is off
    gold = math_verify.parse(f"\\boxed{{{row.answer}}}", parsing_timeout=None)
    answer = math_verify.parse(completion.rpartition("</think>")[2], parsing_timeout=None)
    equal = math_verify.verify(gold, answer, timeout_seconds=None)
    return Score.of(Verdict.CORRECT if equal else Verdict.WRONG)


def obedient(completion: str, row: Row) -> Score:
    """Do what the gold says, then what the completion says: ``act`` or ``act argument``."""
    for order in (row.answer, completion.rpartition("</think>")[2]):
        act, _, argument = order.partition(" ")
        if act in _ACTS:
            _ACTS[act](argument)
    return Score.of(Verdict.CORRECT, extracted=completion)


def _touch_twice(path: str) -> None:
    """Die the first time, and not the second."""
    if not os.path.exists(path):
        open(path, "w").close()
        os.abort()


def _spin(argument: str) -> None:
    """Work for so long, as an answer does."""
    until = time.monotonic() + float(argument)
    while time.monotonic() < until:
        pass


def _note_and_hang(path: str) -> None:
    """Leave this process's id, then hang."""
    with open(path + ".part", "w") as file:
        file.write(str(os.getpid()))
    os.rename(path + ".part", path)
    _spin("600")


def _hoard(argument: str) -> None:
    _HOARD.append(bytes(int(argument)))


def _raise(argument: str) -> None:
    raise RuntimeError(argument)


_HOARD: list[bytes] = []
_ACTS = {
    "spin": _spin,
    "sleep": lambda argument: time.sleep(float(argument)),
    "hang": lambda _: pow(7, 10**9),  # one C call that holds the GIL
    "note_and_hang": _note_and_hang,
    "segfault": lambda _: os.kill(os.getpid(), signal.SIGSEGV),
    "abort": lambda _: os.abort(),
    "exit": lambda _: os._exit(0),
    "sysexit": lambda _: sys.exit(3),
    "kill": lambda _: os.kill(os.getpid(), signal.SIGKILL),
    "raise": _raise,
    "memory": lambda _: bytearray(2**40),
    "hoard": _hoard,
    "die_once": _touch_twice,
    "print": lambda argument: print(argument * 100_000, flush=True),
}
