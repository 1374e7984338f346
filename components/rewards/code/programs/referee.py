"""The judge's side: holds the tests, asks the candidate for values, compares them here and reports the verdict.

Reads ``job.json`` and writes one JSON object to file descriptor 5. UNUSABLE is said of tests that fail before they
have called the candidate at all, or that check nothing: no program can bring that about.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import signal
import sys
import types
from typing import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from r1flow.components.rewards.code.programs.peer import Lost, Peer
    from r1flow.components.rewards.code.programs.reading import FILE, Broken, called_names, free_names, parsed
else:
    from peer import Lost, Peer
    from reading import FILE, Broken, called_names, free_names, parsed

REPORT = 5
# Modules that test programs use without importing them, because their authors' solutions did.
IMPORTED = {"cmath", "collections", "copy", "datetime", "functools", "itertools", "json", "math", "operator", "random"}
IMPORTED |= {"re", "statistics", "string", "sys", "time"}


def run_calls(job: dict[str, Any], peer: Peer) -> dict[str, Any]:
    """Compare the result of each call with its JSON value, up to the first that differs."""
    cases = job["calls"]
    for index, case in enumerate(cases):
        try:
            value = peer.call(job["entry_point"], tuple(case["args"]), {})
            if as_json(value) != case["expected"]:
                return failed(index, len(cases), f"returned {shown(value)}, not {shown(case['expected'])}")
        except (Exception, Lost) as error:  # the candidate's own exception, or a value that cannot be compared
            return failed(index, len(cases), f"{type(error).__name__}: {short(str(error))}", error)
    return {"verdict": "CORRECT", "passed": len(cases), "total": len(cases)}


def as_json(value: Any) -> Any:
    """A value as JSON would hold it: tuples are lists, keys of objects are text."""
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    if isinstance(value, dict):
        return {key if isinstance(key, str) else json.dumps(key): as_json(item) for key, item in value.items()}
    return value


def prepare(job: dict[str, Any], peer: Peer) -> tuple[dict[str, Any], ast.Module]:
    """The names that the tests see, the candidate's functions among them as proxies, and the tests' syntax tree."""
    tree = parsed(job["assertions"])
    names: dict[str, Any] = {"__name__": "tests"}
    if "random" in job["assertions"]:  # the same program gets the same verdict
        importlib.import_module("random").seed(0)
    for text in (job["prefix"], job["prefix"] + "\n    pass\n"):
        try:
            exec(compile(text, "prefix.py", "exec"), names)
            break
        except SyntaxError:
            continue
    wanted = free_names(job["assertions"]) - set(names)
    for name in wanted:
        names[name] = importlib.import_module(name) if name in IMPORTED else proxy(peer, name)
    sys.modules["solution"] = Solution(peer, sorted(wanted))
    if job["entry_point"]:
        names[job["entry_point"]] = names["candidate"] = proxy(peer, job["entry_point"])
    return names, tree


class Solution(types.ModuleType):
    """What ``from solution import name`` and ``import solution`` find in the tests."""

    def __init__(self, peer: Peer, wanted: list[str]) -> None:
        super().__init__("solution")
        self.__all__ = wanted
        self.__dict__["_peer"] = peer

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return proxy(self.__dict__["_peer"], name)


def proxy(peer: Peer, name: str) -> Any:
    def function(*args: Any, **kwargs: Any) -> Any:
        return peer.call(name, args, kwargs)

    function.__name__ = function.__qualname__ = name
    return function


def run_assertions(names: dict[str, Any], tree: ast.Module, entry_point: str | None) -> dict[str, Any]:
    """Run the test program: its statements, then ``check(candidate)`` or each function ``test_...`` without arguments."""
    asserts = sorted((n.lineno, n.end_lineno or n.lineno) for n in ast.walk(tree) if isinstance(n, ast.Assert))
    try:
        exec(compile(tree, FILE, "exec"), names)
        called = called_names(tree)
        if entry_point and callable(names.get("check")) and "check" not in called:
            names["check"](names["candidate"])
        for name, value in list(names.items()):
            if name.startswith("test_") and isinstance(value, types.FunctionType) and name not in called:
                value()
    except (Exception, Lost) as error:  # a test that fails, in whatever way
        line = line_of(error)
        index = next((i for i, (first, last) in enumerate(asserts) if first <= line <= last), None)
        why = f"line {line}: {type(error).__name__}: {short(str(error))}".rstrip(": ")
        if index is None:
            return {"verdict": "WRONG", "detail": why}
        return failed(index, len(asserts), why, error)
    return {"verdict": "CORRECT", "passed": len(asserts), "total": len(asserts)}


def line_of(error: BaseException) -> int:
    """The line of the test program on which an exception was raised, the innermost one."""
    line, step = 0, error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == FILE:
            line = step.tb_lineno
        step = step.tb_next
    return line


def failed(index: int, total: int, why: str, error: BaseException | None = None) -> dict[str, Any]:
    verdict = "MEMORY" if isinstance(error, MemoryError) else "WRONG"
    return {"verdict": verdict, "passed": index, "total": total, "detail": why}


def shown(value: Any) -> str:
    """A value as source text, so that ``'1'`` and ``1`` look different."""
    try:
        return short(repr(value))
    except Exception:  # a number of more digits than Python prints
        return type(value).__name__


def short(text: str) -> str:
    return text if len(text) <= 120 else text[:117] + "..."


def judge(job: dict[str, Any]) -> dict[str, Any]:
    peer = Peer(refuse, job["seconds"])
    try:
        names, tree = prepare(job, peer) if job["assertions"] else ({}, ast.Module([], []))
    except Broken as error:
        return {"verdict": "UNUSABLE", "detail": str(error)}
    except (Exception, SystemExit) as error:  # the prefix fails on its own
        return {"verdict": "UNUSABLE", "detail": f"the prefix fails: {type(error).__name__}: {short(str(error))}"}
    if not peer.await_greeting(job["start_seconds"]):
        return {"verdict": "INFRA", "detail": "the candidate's sandbox did not start"}
    limit(peer, job["total_seconds"])
    try:
        verdict = run_calls(job, peer) if job["calls"] else run_assertions(names, tree, job["entry_point"])
    except BaseException as error:
        # an exit in the tests, or the clock between two of them
        verdict = {"verdict": "WRONG", "detail": f"the tests end early: {type(error).__name__}"}
    if peer.calls == 0 and peer.lost is None:
        return {"verdict": "UNUSABLE", "detail": verdict.get("detail") or "the tests call nothing of the candidate"}
    if peer.lost is not None:  # it stands, whatever a test made of it
        verdict.update(verdict=peer.lost.verdict, detail=peer.lost.reason, gone=peer.lost.gone)
    return verdict


def limit(peer: Peer, seconds: float) -> None:
    """End the tests after ``seconds``, also where a value of the candidate's keeps this side busy."""

    def over(_signal: int, _frame: Any) -> None:
        peer.lost = peer.lost or Lost(f"the tests take more than {seconds} s", "TIMEOUT")
        raise peer.lost

    signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def refuse(name: str) -> Any:
    raise Lost(f"{name} is no function of the tests' that was given")


def main() -> None:
    with open("job.json", encoding="utf-8") as file:
        job = json.load(file)
    silence = os.open(os.devnull, os.O_RDWR)
    os.dup2(silence, 1)
    data = json.dumps(judge(job)).encode("ascii")
    while data:
        data = data[os.write(REPORT, data) :]
    os._exit(0)


if __name__ == "__main__":
    main()
