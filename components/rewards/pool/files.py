"""Verify a file of answers: JSON lines in, the same lines with verdict and reward out."""

import json
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import ValidationError

from r1flow.components.core.errors import ConfigError, DataError
from r1flow.components.core.schema import Row
from r1flow.components.core.tests import CodeTests
from r1flow.components.core.verdict import Verdict
from r1flow.components.rewards.accuracy import quick_score
from r1flow.components.rewards.base import Score
from r1flow.components.rewards.code.suites import humaneval_tests, mbpp_tests
from r1flow.components.rewards.format import FormatStyle, has_format
from r1flow.components.rewards.language import NaturalLanguage, consistency
from r1flow.components.rewards.pool.pool import Job, ScoringPool
from r1flow.components.rewards.thought import CLOSE, OPEN, thought_of

Kind = Literal["math", "choice", "exact", "code", "format", "language"]
CHUNK = 2048  # lines in flight


@dataclass
class Summary:
    """What was found: rows by verdict (``UNUSABLE`` without one), the sum of rewards, the lines that were skipped."""

    verdicts: Counter[str] = field(default_factory=Counter)
    rewards: list[float] = field(default_factory=list)
    malformed: list[tuple[int, str]] = field(default_factory=list)
    seconds: float = 0.0


class _Malformed(Exception):
    """The line cannot be verified; says why."""


def verify_file(
    source: Path, out: Path, kind: Kind, pool: ScoringPool, progress: Callable[[int], None] = lambda lines: None
) -> Summary:
    """Verify every line of ``source`` and write it to ``out`` with ``verdict``, ``reward``, ``seconds``, ``extracted``.

    A line has ``prediction`` (an answer, with or without a thought before it) or ``completion`` (judged as training
    judges it: without a closed thought it is UNPARSEABLE), and beside it, by kind, ``gold``; ``tests`` (as in a row, or
    HumanEval's and MBPP's own fields); ``style`` and ``prefilled``; ``language`` (default ``en``). A reward is null where
    nothing could be scored. Malformed lines are listed by number and left out. Raises DataError where ``source`` cannot
    be read, ConfigError for an unknown kind.
    """
    if kind not in get_args(Kind):
        raise ConfigError(f"--kind {kind!r} is not one of {', '.join(get_args(Kind))}")
    if not source.is_file():
        raise DataError(f"{source}: no such file")
    summary, started = Summary(), time.monotonic()
    with source.open("rb") as lines, out.open("w", encoding="utf-8") as sink:
        numbered = enumerate(lines, 1)
        while chunk := list(islice(numbered, CHUNK)):
            records = list(_read(chunk, summary))
            for record, score, seconds in _scored(records, kind, pool, summary):
                reward = None if score.reward is None else round(score.reward, 6)
                found = {"verdict": score.verdict, "reward": reward, "seconds": round(seconds, 4)}
                line = record | found | {"extracted": score.extracted, "detail": score.detail}
                sink.write(json.dumps(line, ensure_ascii=True) + "\n")
                summary.verdicts[score.verdict or "UNUSABLE"] += 1
                if reward is not None:
                    summary.rewards.append(reward)
            progress(chunk[-1][0])
    summary.malformed.sort()
    summary.seconds = time.monotonic() - started
    return summary


def _read(chunk: list[tuple[int, bytes]], summary: Summary) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in chunk:
        if not line.strip():
            continue
        try:
            record = json.loads(line.decode("utf-8", "surrogatepass"))
        except UnicodeDecodeError:
            summary.malformed.append((number, "not UTF-8"))
            continue
        except (ValueError, RecursionError):
            summary.malformed.append((number, "not JSON"))
            continue
        if isinstance(record, dict):
            yield number, record
        else:
            summary.malformed.append((number, "not a JSON object"))


def _scored(
    records: list[tuple[int, dict[str, Any]]], kind: Kind, pool: ScoringPool, summary: Summary
) -> Iterator[tuple[dict[str, Any], Score, float]]:
    """Every record that can be verified with its score and seconds, in order."""
    done: dict[int, tuple[Score, float]] = {}
    slow: list[tuple[int, Job]] = []
    for number, record in records:
        started = time.monotonic()
        try:
            if kind in ("format", "language"):
                done[number] = (_shape(record) if kind == "format" else _language(record), time.monotonic() - started)
                continue
            job = Job(_completion(record), _row(record, kind, number))
        except _Malformed as reason:
            summary.malformed.append((number, str(reason)))
            continue
        score = quick_score(job.completion, job.row)
        if score is None:
            slow.append((number, job))
        else:
            done[number] = (score, time.monotonic() - started)
    batch = pool.submit([job for _, job in slow])
    for (number, _), score, seconds in zip(slow, batch.result(), batch.seconds, strict=True):
        done[number] = (score, seconds)
    for number, record in records:
        if number in done:
            yield record, *done[number]


def _text(record: Mapping[str, Any], *names: str) -> str:
    for name in names:
        if isinstance(record.get(name), str):
            return str(record[name])
    raise _Malformed(f"no text under {' or '.join(names)}")


def _completion(record: Mapping[str, Any]) -> str:
    text = _text(record, "completion", "prediction")
    if "completion" in record or OPEN in text or CLOSE in text:
        return text
    return CLOSE + text


def _row(record: Mapping[str, Any], kind: Kind, number: int) -> Row:
    if kind == "code":
        return Row(id=str(number), prompt="", answer="", verifier="code", source="file", tests=_tests(record))
    gold = record.get("gold")
    if isinstance(gold, int | float) and not isinstance(gold, bool) and abs(gold) < math.inf:
        gold = repr(gold)
    if not isinstance(gold, str):
        raise _Malformed("no text under gold")
    verifier: Any = kind
    return Row(id=str(number), prompt="", answer=gold, verifier=verifier, source="file")


def _tests(record: Mapping[str, Any]) -> CodeTests:
    try:
        if "tests" in record:
            return CodeTests.model_validate(record["tests"])
        return humaneval_tests(record) if "entry_point" in record else mbpp_tests(record)
    except KeyError as error:
        raise _Malformed(f"no tests, and no {error} either") from None
    except (ValidationError, TypeError, AttributeError) as error:
        raise _Malformed(f"tests are not as they should be: {str(error).splitlines()[0]}") from None


def _shape(record: Mapping[str, Any]) -> Score:
    style, prefilled = record.get("style", "think_answer"), record.get("prefilled", False)
    if style not in get_args(FormatStyle):
        raise _Malformed(f"style {style!r} is not one of {', '.join(get_args(FormatStyle))}")
    formed = has_format(_text(record, "completion", "prediction"), style, prefilled=prefilled is True)
    return Score.of(Verdict.CORRECT if formed else Verdict.WRONG)


def _language(record: Mapping[str, Any]) -> Score:
    """The share of the language in the thought, or in the whole text where it has none; no words, no reward."""
    text = _text(record, "completion", "prediction", "text")
    try:
        spec = NaturalLanguage(_text(record, "language") if "language" in record else "en")
    except ConfigError as error:
        raise _Malformed(str(error)) from None
    share = consistency(thought_of(text) if OPEN in text or CLOSE in text else text, spec)
    verdict = Verdict.UNPARSEABLE if share is None else Verdict.CORRECT if share >= 0.95 else Verdict.WRONG
    return Score(share or 0.0, verdict)
