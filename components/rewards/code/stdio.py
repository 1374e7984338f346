"""Programs judged by what they print: one sandbox for each test, compared here with what the sandbox never held."""

import math
import time

from r1flow.components.core.tests import CodeTests
from r1flow.components.core.verdict import Verdict
from r1flow.components.processes.sandbox.base import End, Limits, MiB, Outcome, Program, Sandbox
from r1flow.components.rewards.base import Score
from r1flow.components.rewards.code.languages import BUILT, COMPILING, LANGUAGES, RUN_BUILT, Language

_ENDS = {End.TIMEOUT: Verdict.TIMEOUT, End.MEMORY: Verdict.MEMORY, End.INFRA: Verdict.INFRA}
_OUT_OF_MEMORY = (b"MemoryError", b"std::bad_alloc", b"JavaScript heap out of memory")


def judge_stdio(sandbox: Sandbox, tests: CodeTests, program: str) -> Score:
    """Run the program once for each test, up to the first that fails."""
    language = LANGUAGES[tests.language]
    command, files = language.command(), {language.file: source(program)}
    if language.compiled:
        built = build(sandbox, command, files)
        if not isinstance(built, bytes):
            return _score(program, *built)
        command, files = list(RUN_BUILT), {"program": built}
    deadline = time.monotonic() + tests.total_seconds
    total = len(tests.stdio)
    for index, case in enumerate(tests.stdio):
        left = min(tests.seconds, deadline - time.monotonic())
        failure: tuple[Verdict, str] | None = (Verdict.TIMEOUT, f"more than {tests.total_seconds} s in all")
        if left > 0:
            limits = _limits(language, left, len(case.stdout.encode("utf-8", "replace")))
            outcome = sandbox.run(Program(command, files, case.stdin.encode("utf-8", "replace"), limits))
            failure = _failure(outcome, case.stdout)
        if failure is not None:
            verdict, why = failure
            return _score(program, verdict, f"{index} of {total} tests, first failure: test {index + 1}: {why}")
    return _score(program, Verdict.CORRECT, f"{total} of {total} tests")


def build(sandbox: Sandbox, command: list[str], files: dict[str, bytes]) -> bytes | tuple[Verdict, str]:
    """The compiled program, or why there is none. It leaves the compiler's sandbox on the report channel."""
    script = " ".join(command) + f" && cat {BUILT} >&5"
    outcome = sandbox.run(Program(("/bin/sh", "-c", script), files, b"", COMPILING))
    if outcome.end is End.INFRA:
        return Verdict.INFRA, outcome.detail
    if outcome.end is not End.EXITED or outcome.returncode != 0 or outcome.truncated or not outcome.report:
        verdict = _ENDS.get(outcome.end, Verdict.WRONG)
        return verdict, f"it does not compile: {_text(outcome.stderr)[:300]}"
    return outcome.report


def same_output(printed: bytes, expected: bytes) -> bool:
    """Equal but for white space at the ends of lines and empty lines at the end. Numbers are text here."""
    return _lines(printed) == _lines(expected)


def source(program: str) -> bytes:
    """The program's bytes; what has no UTF-8 form becomes a question mark."""
    return program.encode("utf-8", "replace")


def _lines(output: bytes) -> list[bytes]:
    lines = [line.rstrip() for line in output.split(b"\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _failure(outcome: Outcome, expected: str) -> tuple[Verdict, str] | None:
    if outcome.end is not End.EXITED:
        return _ENDS[outcome.end], outcome.detail or outcome.end.value.lower()
    if outcome.truncated:
        return Verdict.WRONG, "too much output"
    if outcome.returncode != 0:
        verdict = Verdict.MEMORY if any(sign in outcome.stderr for sign in _OUT_OF_MEMORY) else Verdict.WRONG
        return verdict, f"exit status {outcome.returncode}: {_text(outcome.stderr)[-200:]}"
    if not same_output(outcome.stdout, expected.encode("utf-8", "replace")):
        return Verdict.WRONG, f"printed {_text(outcome.stdout)[:80]!r}"
    return None


def _limits(language: Language, seconds: float, expected_bytes: int) -> Limits:
    return Limits(
        wall_seconds=seconds,
        cpu_seconds=math.ceil(seconds) + 1,
        memory_bytes=language.memory_bytes,
        address_bytes=language.address_bytes,
        processes=language.processes,
        file_bytes=16 * MiB,
        output_bytes=2 * expected_bytes + 64 * 1024,
    )


def _text(output: bytes) -> str:
    return output.decode("utf-8", "replace").strip()


def _score(program: str, verdict: Verdict, detail: str) -> Score:
    return Score.of(verdict, extracted=program, detail=detail)
