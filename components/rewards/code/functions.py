"""Programs judged by what their functions return: the tests in one sandbox, the program in another."""

import json
import math
import secrets
from collections.abc import Mapping
from functools import cache
from importlib.resources import files as package_files
from typing import Any

from r1flow.components.core.tests import CodeTests
from r1flow.components.core.verdict import Verdict
from r1flow.components.processes.sandbox.base import End, Limits, MiB, Outcome, Program, Sandbox
from r1flow.components.rewards.base import Score
from r1flow.components.rewards.code.languages import python
from r1flow.components.rewards.code.stdio import source

START_SECONDS = 10.0  # for the candidate's interpreter to greet, before any clock of the tests
_MESSAGES = ("peer.py", "plain_data.py")
_TESTS = ("reading.py", "referee.py")
_REPORTED = (Verdict.CORRECT, Verdict.WRONG, Verdict.MEMORY)
_ENDS = {End.TIMEOUT: Verdict.TIMEOUT, End.MEMORY: Verdict.MEMORY}
WEAKER = "weaker: one process"


def judge_functions(sandbox: Sandbox, tests: CodeTests, program: str) -> Score:
    """The verdict that the judge's sandbox reports, made sharper by how the candidate's sandbox ended."""
    if tests.isolation == "one":
        return _judge_in_one(sandbox, tests, program)
    judge = Program((*python(), "referee.py"), _harness(*_MESSAGES, *_TESTS), b"", _limits(tests))
    judge = _with_file(judge, "job.json", json.dumps(_job(tests)).encode())
    candidate = Program((*python(), "candidate.py"), _harness(*_MESSAGES, "candidate.py"), b"", _limits(tests))
    candidate = _with_file(candidate, "solution.py", source(program))
    judged, ran = sandbox.run_connected(judge, candidate)
    report = _report(judged)
    if judged.end is End.INFRA or (ran.end is End.INFRA and not judged.report):
        return Score.of(Verdict.INFRA, extracted=program, detail=judged.detail or ran.detail)
    if report.get("gone") and ran.end in _ENDS:
        report.update(verdict=_ENDS[ran.end].value, detail=ran.detail)
    return _score(program, report)


def _judge_in_one(sandbox: Sandbox, tests: CodeTests, program: str) -> Score:
    nonce = secrets.token_hex(16)
    everything = _harness(*_MESSAGES, *_TESTS, "candidate.py", "single.py")
    single = Program(
        (*python(), "single.py"), everything, json.dumps({"nonce": nonce, **_job(tests)}).encode(), _limits(tests)
    )
    outcome = sandbox.run(_with_file(single, "solution.py", source(program)))
    if outcome.end is End.INFRA:
        return Score.of(Verdict.INFRA, extracted=program, detail=outcome.detail)
    report = _report(outcome)
    if outcome.report and not _is_ours(report, nonce):
        report = {"verdict": Verdict.WRONG, "detail": "a report that the tests did not write"}
    score = _score(program, report)
    return Score(score.reward, score.verdict, score.extracted, f"{WEAKER}; {score.detail}")


def _is_ours(report: dict[str, Any], nonce: str) -> bool:
    """Whether a report can be the tests' own. None of theirs says that nothing can be judged."""
    counts = all(isinstance(report.get(name, 0), int) for name in ("passed", "total"))
    return report.get("nonce") == nonce and counts and report["verdict"] in _REPORTED


def _job(tests: CodeTests) -> dict[str, Any]:
    keep = {"assertions", "prefix", "entry_point", "calls", "seconds", "total_seconds"}
    return {**tests.model_dump(mode="json", include=keep), "start_seconds": START_SECONDS}


def _report(outcome: Outcome) -> dict[str, Any]:
    """What the judge wrote; without it, what became of the judge: never a pass, never None."""
    try:
        report = json.loads(outcome.report)
    except (ValueError, RecursionError):
        report = None
    if isinstance(report, dict) and not outcome.truncated and isinstance(report.get("verdict"), str):
        return report
    verdict = _ENDS.get(outcome.end, Verdict.WRONG)
    return {"verdict": verdict.value, "detail": outcome.detail or "the tests ended without a verdict"}


def _score(program: str, report: dict[str, Any]) -> Score:
    if report["verdict"] == "UNUSABLE":
        return Score.unusable(str(report.get("detail")))
    detail = str(report.get("detail") or "")
    if "total" in report:
        counted = f"{report['passed']} of {report['total']} tests"
        detail = f"{counted}, first failure: test {report['passed'] + 1}: {detail}" if detail else counted
    return Score.of(Verdict(report["verdict"]), extracted=program, detail=detail)


def _limits(tests: CodeTests) -> Limits:
    seconds = START_SECONDS + tests.total_seconds + 2.0
    return Limits(wall_seconds=seconds, cpu_seconds=math.ceil(tests.total_seconds) + 2, file_bytes=16 * MiB)


@cache
def _harness(*names: str) -> Mapping[str, bytes]:
    folder = package_files("r1flow.components.rewards.code.programs")
    return {name: folder.joinpath(name).read_bytes() for name in names}


def _with_file(program: Program, name: str, content: bytes) -> Program:
    return Program(program.argv, {**program.files, name: content}, program.stdin, program.limits)
