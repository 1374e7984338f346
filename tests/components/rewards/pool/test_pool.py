"""The pool on real workers: order, sharing, what each end of a worker means, and what happens where none can start."""

import asyncio
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import psutil
import pytest

from r1flow.components.core.schema import Row
from r1flow.components.core.verdict import Verdict
from r1flow.components.rewards.base import Score
from r1flow.components.rewards.pool.pool import Job, ScoringPool
from r1flow.components.rewards.pool.wire import MAX_COMPLETION
from tests.runs import ROOT

OBEDIENT = "tests.faults.scoring_judges:obedient"
MiB = 2**20


def job(completion: str, gold: str = "x", verifier: Literal["math", "exact"] = "math") -> Job:
    return Job(completion, Row(id="r", prompt="p", answer=gold, verifier=verifier, source="test"))


@pytest.fixture(scope="module")
def obedient() -> Iterator[ScoringPool]:
    with ScoringPool(2, seconds=1.0, memory_bytes=512 * MiB, judge=OBEDIENT) as pool:
        yield pool


@pytest.fixture(scope="module")
def real() -> Iterator[ScoringPool]:
    with ScoringPool(2) as pool:
        yield pool


def verdicts(scores: list[Score]) -> list[Verdict | None]:
    return [score.verdict for score in scores]


def test_real_answers_get_their_verdicts_in_order(real: ScoringPool) -> None:
    scores = real.score(
        [
            job("<think>a</think>\\boxed{\\frac{1}{2}}", "0.5"),
            job("<think>a</think>\\boxed{2}", "0.5"),
            job("<think>\\boxed{0.5}", "0.5"),
            job("<think>a</think>\\boxed{1}", ""),
            job("<think>a</think>yes", "yes", "exact"),
            job("<think>a</think>\\boxed{\\sqrt{12}}", "2\\sqrt{3}"),
        ]
    )
    assert [score.reward for score in scores] == [1.0, 0.0, 0.0, None, 1.0, 1.0]
    assert scores[3].verdict is None


def test_no_jobs_need_no_worker() -> None:
    before = len(psutil.Process().children())
    with ScoringPool(2, judge="no.such:judge") as pool:
        assert pool.score([]) == []
        assert len(psutil.Process().children()) == before


@pytest.mark.long
def test_an_answer_is_never_taken_for_anothers() -> None:
    """Work just below and above the clock, so that answers and kills cross; each act is like no other."""
    draw = random.Random(0)
    acts = [f"spin {draw.choice([0, 0, 0.01, 0.19, 0.2, 0.21]) + k * 1e-6:.6f}" for k in range(40)]
    with ScoringPool(2, seconds=0.2, judge=OBEDIENT) as pool:
        scores = pool.score([job(act) for act in acts])
    for act, score in zip(acts, scores, strict=True):
        if score.verdict is Verdict.CORRECT:
            assert score.extracted == act
        else:
            assert score.verdict is Verdict.TIMEOUT


@pytest.mark.long
def test_each_end_of_a_worker_has_its_verdict(obedient: ScoringPool, tmp_path: Path) -> None:
    expected = {
        "fine": Verdict.CORRECT,
        "hang": Verdict.TIMEOUT,
        "sleep 600": Verdict.TIMEOUT,
        "segfault": Verdict.WRONG,
        "abort": Verdict.WRONG,
        "exit": Verdict.WRONG,
        "sysexit": Verdict.WRONG,
        "raise a puzzled error": Verdict.WRONG,
        "memory": Verdict.MEMORY,
        f"die_once {tmp_path / 'died'}": Verdict.CORRECT,
        "print something that is no message": Verdict.CORRECT,
        "fine again": Verdict.CORRECT,
    }
    batch = obedient.submit([job(act) for act in expected])
    scores = batch.result(240)
    assert verdicts(scores) == list(expected.values())
    assert scores[3].detail == "crashed the verifier (signal 11)"
    assert "puzzled" in (scores[7].detail or "")
    assert batch.seconds[1] >= 1.0


def test_the_leavings_of_earlier_items_are_not_held_against_a_later_one() -> None:
    with ScoringPool(1, memory_bytes=512 * MiB, judge=OBEDIENT) as pool:
        acts = [f"hoard {100 * MiB}"] * 12
        assert verdicts(pool.score([job(act) for act in acts])) == [Verdict.CORRECT] * 12
        assert verdicts(pool.score([job(f"hoard {600 * MiB}")])) == [Verdict.MEMORY]


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        ("hang", "gold takes too long"),
        ("segfault", "gold crashes the verifier"),
        ("memory", "gold stops the verifier: out of memory"),
        ("raise oddly", "gold stops the verifier: RuntimeError: oddly"),
    ],
)
def test_a_gold_that_goes_wrong_alone_makes_its_row_unusable(obedient: ScoringPool, act: str, reason: str) -> None:
    scores = obedient.score([job("fine", act), job("fine")])
    assert scores[0].verdict is None
    assert scores[0].reward is None
    assert (scores[0].detail or "").startswith(reason)
    assert scores[1].verdict is Verdict.CORRECT
    again = obedient.submit([job("fine", act)] * 3)
    assert again.result(20) == [scores[0]] * 3
    assert again.seconds == [0.0] * 3


def test_several_callers_share_a_pool_and_a_small_batch_does_not_wait_for_a_large_one(obedient: ScoringPool) -> None:
    large = obedient.submit([job(f"sleep 0.0{k % 2}") for k in range(400)])
    small = obedient.submit([job("small")] * 2)
    assert verdicts(small.result(20)) == [Verdict.CORRECT] * 2
    assert not large.done
    with ThreadPoolExecutor(4) as threads:
        for k, scores in enumerate(threads.map(lambda k: obedient.score([job(f"nothing {k}")] * 5), range(8))):
            assert [score.extracted for score in scores] == [f"nothing {k}"] * 5
    assert len(large.result(60)) == 400


def test_a_batch_can_be_awaited_and_an_await_given_up(obedient: ScoringPool) -> None:
    async def use() -> tuple[list[Score], bool]:
        batch = obedient.submit([job("sleep 0.3")])
        given_up = False
        try:
            async with asyncio.timeout(0.05):
                await batch
        except TimeoutError:
            given_up = True
        return await batch, given_up

    scores, given_up = asyncio.run(use())
    assert given_up
    assert verdicts(scores) == [Verdict.CORRECT]


def test_a_wait_can_be_limited_and_taken_up_again(obedient: ScoringPool) -> None:
    batch = obedient.submit([job("sleep 0.3")])
    with pytest.raises(TimeoutError):
        batch.result(0.01)
    assert verdicts(batch.result(20)) == [Verdict.CORRECT]


def test_what_cannot_be_sent_is_settled_without_a_worker(obedient: ScoringPool) -> None:
    endless = job("fine", "9")
    row = endless.row.model_copy(update={"level": 10**5000})  # more digits than Python writes out
    batch = obedient.submit([job("x" * (MAX_COMPLETION + 1)), Job("fine", row), job("fine")])
    scores = batch.result(20)
    assert verdicts(scores) == [Verdict.UNPARSEABLE, None, Verdict.CORRECT]
    assert "row cannot be sent" in (scores[1].detail or "")


@pytest.mark.parametrize("text", ["\x00", "\ud800", "\U0001f600", "\r\n", '"}{', "\\u0000"])
def test_every_text_reaches_the_judge_as_it_is(obedient: ScoringPool, text: str) -> None:
    assert obedient.score([job(f"nothing {text}")])[0].extracted == f"nothing {text}"


@pytest.mark.long
def test_workers_are_reused_and_descriptors_given_back() -> None:
    process = psutil.Process()
    before, others = process.num_fds(), {child.pid for child in process.children()}
    with ScoringPool(2, seconds=0.3, judge=OBEDIENT) as pool:
        pool.score([job("fine")] * 10)
        pids = {child.pid for child in process.children()} - others
        pool.score([job("fine")] * 200)
        assert {child.pid for child in process.children()} - others == pids
        assert len(pids) <= 2
        pool.score([job("hang"), job("segfault")])
    assert process.num_fds() == before
    assert {child.pid for child in process.children()} <= others


def test_where_no_worker_can_start_everything_waiting_is_infrastructure() -> None:
    with ScoringPool(1, judge="components.no_such_room:judge") as pool:
        scores = pool.score([job("fine")] * 3)
    assert verdicts(scores) == [Verdict.INFRA] * 3
    assert scores[0].reward is None
    assert "No module named 'components.no_such_room'" in (scores[0].detail or "")


def test_a_closed_pool_and_one_from_another_process_refuse_jobs(obedient: ScoringPool) -> None:
    pool = ScoringPool(1, judge=OBEDIENT)
    pool.close()
    pool.close()
    with pytest.raises(RuntimeError, match="closed"):
        pool.submit([job("fine")])
    child = os.fork()
    if child == 0:
        code = 1
        try:
            obedient.submit([job("fine")])
        except RuntimeError as error:
            obedient.close()  # must not end the parent's workers
            code = 0 if "fork" in str(error) else 1
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert verdicts(obedient.score([job("fine")])) == [Verdict.CORRECT]


def test_a_pool_that_is_never_closed_does_not_hold_up_the_end_of_its_process() -> None:
    script = (
        "from tests.components.rewards.pool.test_pool import *\n"
        "pool = ScoringPool(1, judge=OBEDIENT)\n"
        "print(pool.score([job('fine')])[0].verdict); pool.submit([job('hang')])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "CORRECT"
    assert done.returncode == 0, done.stderr


def test_impossible_sizes_are_refused() -> None:
    for workers, seconds in ((0, 4.0), (1, 0.0), (1, float("nan"))):
        with pytest.raises(ValueError, match="scores nothing"):
            ScoringPool(workers, seconds=seconds)


def test_the_dispatcher_is_the_only_thread_and_ends_with_the_pool() -> None:
    before = threading.active_count()
    with ScoringPool(3, judge=OBEDIENT) as pool:
        pool.score([job("fine")] * 5)
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
