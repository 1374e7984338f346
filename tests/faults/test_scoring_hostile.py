"""Hostile answers among ordinary ones: nothing hangs or crashes, every clock holds, ordinary verdicts do not change."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from r1flow.components.core.schema import Row
from r1flow.components.core.tests import CodeTests, StdioCase
from r1flow.components.core.verdict import Verdict
from r1flow.components.rewards.base import Score
from r1flow.components.rewards.pool.pool import Batch, Job, ScoringPool
from tests.conftest import need_program
from tests.faults.hostile import HOSTILE, ORDINARY
from tests.processes import children, descendants, kill, lives, survivors, told, wait_until
from tests.runs import ROOT

UNGUARDED = "tests.faults.scoring_judges:unguarded"
OBEDIENT = "tests.faults.scoring_judges:obedient"
SECONDS = 1.0
SPARE_S = 2.0  # other test processes want the same cores
WORKER = "r1flow.components.rewards.pool.worker"


def job(gold: str, answer: str) -> Job:
    return Job(f"<think>so</think>{answer}", Row(id="r", prompt="p", answer=gold, verifier="math", source="test"))


def mixed(seed: int, names: list[str] | None = None) -> list[tuple[Job, float | None]]:
    """Hostile and ordinary jobs, one to one, shuffled; ordinary ones with the reward they must get."""
    names = names or list(HOSTILE)
    hostile = [(job("5" if k % 2 else "x+5", f"\\boxed{{{HOSTILE[name]}}}"), None) for k, name in enumerate(names)]
    ordinary = [ORDINARY[k % len(ORDINARY)] for k in range(len(names))]
    both = [*hostile, *((job(gold, answer), reward) for gold, answer, reward in ordinary)]
    random.Random(seed).shuffle(both)
    return both


def check(jobs: list[tuple[Job, float | None]], scores: list[Score], batch: Batch | None = None) -> None:
    """A hostile answer may be anything but unscored, an ordinary one only what it is."""
    assert len(scores) == len(jobs)
    for (_, expected), score in zip(jobs, scores, strict=True):
        if expected is None:
            assert score.verdict not in (None, Verdict.INFRA), score
        else:
            assert score.reward == expected, score
    if batch is not None:
        assert max(batch.seconds) <= SECONDS + SPARE_S


@pytest.fixture(scope="module")
def guarded() -> Iterator[ScoringPool]:
    with ScoringPool(2, seconds=SECONDS) as pool:
        yield pool


@pytest.fixture(scope="module")
def unguarded() -> Iterator[ScoringPool]:
    with ScoringPool(2, seconds=SECONDS, memory_bytes=2**30, judge=UNGUARDED) as pool:
        yield pool


def workers(of: int | None = None) -> list[psutil.Process]:
    lines = told(children(of), lambda process: process.cmdline())
    return [process for process, line in lines.items() if WORKER in line]


def test_there_are_at_least_forty_hostile_answers() -> None:
    assert len(HOSTILE) >= 40


def test_hostile_answers_earn_nothing_and_change_no_verdict(guarded: ScoringPool) -> None:
    jobs = mixed(1)
    batch = guarded.submit([each for each, _ in jobs])
    scores = batch.result(500)
    check(jobs, scores, batch)
    assert {score.reward for score, (_, reward) in zip(scores, jobs, strict=True) if reward is None} == {0.0}


@pytest.mark.slow  # two cores burn for two minutes until the clock stops each; the tests below have one such answer
def test_the_clock_holds_where_no_filter_does(unguarded: ScoringPool) -> None:
    jobs = mixed(2)
    batch = unguarded.submit([each for each, _ in jobs])
    scores = batch.result(500)
    check(jobs, scores, batch)
    assert sum(score.verdict is Verdict.TIMEOUT for score in scores) >= 5
    assert not Path("/tmp/r1-hostile-answer").exists()


FEW = ["brackets", "tower", "factorials", "surrogates"]
"""Of these the first runs into the clock, without filters."""


def test_threads_may_score_at_once(unguarded: ScoringPool) -> None:
    asked = [mixed(seed, FEW) for seed in range(3)]
    with ThreadPoolExecutor(3) as threads:
        answered = list(threads.map(lambda jobs: unguarded.score([each for each, _ in jobs]), asked))
    for jobs, scores in zip(asked, answered, strict=True):
        check(jobs, scores)


def test_an_event_loop_goes_on_while_answers_are_scored(unguarded: ScoringPool) -> None:
    asked = [mixed(seed, FEW) for seed in range(3)]

    async def score() -> tuple[list[list[Score]], int]:
        beats = 0

        async def beat() -> None:
            nonlocal beats
            while True:
                await asyncio.sleep(0.01)
                beats += 1

        heart = asyncio.create_task(beat())
        awaited = [unguarded.submit([each for each, _ in jobs]) for jobs in asked[:2]]
        in_thread = asyncio.to_thread(unguarded.score, [each for each, _ in asked[2]])
        answered = await asyncio.gather(*awaited, in_thread)
        heart.cancel()
        return answered, beats

    answered, beats = asyncio.run(score())
    for jobs, scores in zip(asked, answered, strict=True):
        check(jobs, scores)
    assert beats > 10


FLOW = """
import json, sys
from pathlib import Path
from r1flow.tasks.prefect_api import orchestrator
with orchestrator(Path(sys.argv[1])):
    from prefect import flow, task
    from r1flow.components.rewards.pool.pool import ScoringPool
    from tests.faults.test_scoring_hostile import FEW, SECONDS, UNGUARDED, mixed

    with ScoringPool(2, seconds=SECONDS, judge=UNGUARDED) as pool:
        @task
        def score(seed):
            return [one.reward for one in pool.score([each for each, _ in mixed(seed, FEW)])]

        @flow
        def everything():
            return [future.result() for future in [score.submit(seed) for seed in range(3)]]

        rewards = everything()
print(json.dumps(rewards))
"""


def test_prefect_tasks_may_score_at_once(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FLOW, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PREFECT_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    rewards = json.loads(done.stdout.splitlines()[-1])
    assert rewards == [[reward or 0.0 for _, reward in mixed(seed, FEW)] for seed in range(3)]


def test_workers_that_are_killed_from_outside_cost_no_verdict(guarded: ScoringPool) -> None:
    jobs = [(job(gold, answer), reward) for gold, answer, reward in ORDINARY * 125]
    batch = guarded.submit([each for each, _ in jobs])
    for share in (0.1, 0.3, 0.5, 0.7):
        wait_until(lambda share=share: sum(second > 0 for second in batch.seconds) > share * len(jobs), 120)
        kill(process.pid for process in workers())
    check(jobs, batch.result(500))


def test_an_item_whose_worker_is_killed_from_outside_is_judged_by_the_next(tmp_path: Path) -> None:
    note = tmp_path / "note"
    with ScoringPool(1, seconds=60, judge=OBEDIENT) as pool:
        batch = pool.submit([job("x", f"note_and_hang {note}"), job("x", "fine")])
        for _ in range(2):
            wait_until(note.exists)
            os.kill(int(note.read_text()), signal.SIGKILL)
            note.unlink()
        wait_until(note.exists)
        assert not batch.done
    with pytest.raises(RuntimeError, match="closed before all was scored"):
        batch.result(5)


def test_an_item_whose_every_worker_is_killed_from_outside_is_nobodys_fault(tmp_path: Path) -> None:
    note = tmp_path / "note"
    with ScoringPool(1, seconds=60, judge=OBEDIENT) as pool:
        batch = pool.submit([job("x", f"note_and_hang {note}"), job("x", "fine")])
        for _ in range(5):
            wait_until(note.exists)
            os.kill(int(note.read_text()), signal.SIGTERM)
            note.unlink()
        killed, fine = batch.result(60)
    assert killed.verdict is Verdict.INFRA
    assert "killed from outside" in (killed.detail or "")
    assert fine.verdict is Verdict.CORRECT


PARENT = """
import sys, threading
from r1flow.components.rewards.pool.pool import ScoringPool
from tests.faults.test_scoring_hostile import OBEDIENT, job
pool = ScoringPool(2, seconds=600, judge=OBEDIENT)
jobs = [job("x", "hang"), job("x", f"note_and_hang {sys.argv[1]}")]
if sys.argv[2] == "thread":  # the thread that first used the pool is long gone
    thread = threading.Thread(target=lambda: pool.score([job("x", "fine")] * 4))
    thread.start(); thread.join()
pool.score(jobs)
"""


@pytest.mark.parametrize("first", ["main", "thread"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_worker_survives_its_parent(tmp_path: Path, first: str, number: signal.Signals) -> None:
    note = tmp_path / "note"
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(note), first], env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    wait_until(note.exists)
    wait_until(lambda: len(workers(parent.pid)) == 2)
    family = workers(parent.pid)
    parent.send_signal(number)
    parent.wait(20)
    assert survivors(family, 5) == []


def test_a_stopped_parent_does_not_keep_a_worker_over_its_clock(tmp_path: Path) -> None:
    note = tmp_path / "note"
    script = PARENT.replace("seconds=600", "seconds=1")
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(note), "thread"], env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    try:
        wait_until(note.exists)
        parent.send_signal(signal.SIGSTOP)
        pid = int(note.read_text())
        wait_until(lambda: not lives(pid), 5)
    finally:
        parent.kill()
        parent.wait(20)


def test_close_ends_workers_in_the_middle_of_hostile_answers() -> None:
    before = {process.pid for process in workers()}
    pool = ScoringPool(2, seconds=600, judge=OBEDIENT)
    batch = pool.submit([job("x", "hang")] * 4)
    wait_until(lambda: len({process.pid for process in workers()} - before) == 2)
    failures: list[BaseException] = []

    def wait() -> None:
        try:
            batch.result(60)
        except RuntimeError as error:
            failures.append(error)

    waiter = threading.Thread(target=wait)
    waiter.start()
    pool.close()
    waiter.join(20)
    assert len(failures) == 1
    assert {process.pid for process in workers()} <= before


ENDLESS = "import time\nwhile True:\n    time.sleep(1)"


def program_job(program: str, seconds: float = 60.0) -> Job:
    tests = CodeTests(stdio=(StdioCase(stdin="3\n", stdout="6\n"),), seconds=seconds, total_seconds=seconds)
    row = Row(id="c", prompt="p", answer="", verifier="code", source="test", tests=tests)
    return Job(f"<think>so</think>\n```python\n{program}\n```\n", row)


def test_programs_and_hostile_answers_share_a_pool() -> None:
    need_program("bwrap")
    right, wrong = program_job("print(2 * int(input()))"), program_job("print(7)")
    endless = program_job(ENDLESS, seconds=1.0)
    hostile = job("5", f"\\boxed{{{HOSTILE['brackets']}}}")
    with ScoringPool(2, seconds=SECONDS, judge=UNGUARDED) as pool:
        scores = pool.score([right, hostile, wrong, endless, hostile, right])
    found = [score.verdict for score in scores]
    assert found == [
        Verdict.CORRECT,
        Verdict.TIMEOUT,
        Verdict.WRONG,
        Verdict.TIMEOUT,
        Verdict.TIMEOUT,
        Verdict.CORRECT,
    ], [score.detail for score in scores]


PROGRAMS = """
from r1flow.components.rewards.pool.pool import ScoringPool
from tests.faults.test_scoring_hostile import ENDLESS, program_job
ScoringPool(1).score([program_job(ENDLESS)])
"""


def family_with_a_program(pid: int) -> list[psutil.Process]:
    """All descendants, once the program that is judged runs among them."""
    names = told(descendants(pid), lambda process: process.name())
    return [*names] if any("bwrap" in name for name in names.values()) and len(names) > 3 else []


@pytest.mark.parametrize("victim", ["parent", "worker"])
def test_a_program_does_not_survive_the_worker_that_judges_it_nor_its_parent(victim: str) -> None:
    need_program("bwrap")
    parent = subprocess.Popen([sys.executable, "-c", PROGRAMS], env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        wait_until(lambda: family_with_a_program(parent.pid))
        family = family_with_a_program(parent.pid)
        if victim == "parent":
            parent.kill()
        else:
            [worker] = workers(parent.pid)
            worker.kill()
        assert survivors(family, 5) == []
    finally:
        parent.kill()
        parent.wait(20)
