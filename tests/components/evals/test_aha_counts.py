"""What is counted in a lake: by step and difficulty, and every marker's first occurrence with its place."""

from pathlib import Path

import pyarrow.parquet as pq

from r1flow.components.core.rollout import Group, Rollout
from r1flow.components.evals import aha_counts as aha
from r1flow.components.evals.lake.query import open_lake
from r1flow.components.evals.lake.tables import sources
from r1flow.components.rewards.markers import Finder
from r1flow.components.store.artifact import publish
from r1flow.components.store.objects import open_store
from r1flow.components.store.rollouts import lake


def rollout(problem: str, sample: int, text: str, right: bool) -> Rollout:
    return Rollout(
        prompt_id=problem,
        sample=sample,
        prompt_ids=(1,),
        ids=tuple(range(len(text))),
        logprobs=(0.0,) * len(text),
        finished=True,
        text=text,
        reward=float(right),
        rewards={"accuracy": float(right)},
        verdict="CORRECT" if right else "WRONG",
        language=1.0,
        format_ok=True,
        reflections=0,
        policy_version=0,
    )


def group(problem: str, *said: tuple[str, bool]) -> Group:
    return Group(tuple(rollout(problem, n, *one) for n, one in enumerate(said)), (0.0,) * len(said))


def write(directory: Path) -> None:
    easy, hard = group("easy", ("1", True), ("2 wait", True)), group("hard", ("3", False), ("4", False))
    lake.write_shard(directory / lake.shard_name(1, 2), [(1, [easy]), (2, [hard])])
    turned = group("hard", ("no. Wait, wait: 5. Let me verify.", False), ("plain", False))
    lake.write_shard(directory / lake.shard_name(3, 3), [(3, [turned, group("half", ("x", True), ("y", False))])])


def test_sums_by_step_and_difficulty(tmp_path: Path) -> None:
    write(tmp_path)
    found = aha.track(tmp_path, Finder())
    assert aha.difficulty(tmp_path) == {"easy": "0.8 to 1", "hard": "0", "half": "0.2 to 0.8"}
    assert {key: sums["completions"] for key, sums in found.steps.items()} == {
        (1, "0.8 to 1"): 2, (2, "0"): 2, (3, "0"): 2, (3, "0.2 to 0.8"): 2,
    }  # fmt: skip
    turned = found.steps[3, "0"]
    assert turned["tokens"] == len("no. Wait, wait: 5. Let me verify.") + len("plain")
    assert (turned["reflection_completions"], turned["reflection_markers"]) == (1, 3)
    assert (turned["backtracking_markers"], turned["self_check_markers"]) == (2, 1)
    assert found.steps[1, "0.8 to 1"]["correct"] == 2


def test_a_markers_first_occurrence_has_its_place(tmp_path: Path) -> None:
    write(tmp_path)
    words = aha.track(tmp_path, Finder()).words
    wait = words["en", "backtracking", "wait"]
    assert (wait.step, wait.prompt_id, wait.sample, wait.excerpt) == (1, "easy", 1, "2 wait")
    assert (wait.occurrences, wait.completions) == (3, 2)
    assert (words["en", "self_check", "verify"].step, words["en", "self_check", "verify"].prompt_id) == (3, "hard")


def test_of_a_large_lake_every_nth_step_is_read(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    write(tmp_path)
    monkeypatch.setattr(aha, "MOST", 4)
    found = aha.track(tmp_path, Finder())
    assert found.every == 2
    assert {step for step, _ in found.steps} == {1, 3}


def test_an_excerpt_says_that_more_stands_around_it() -> None:
    text = "a" * 100 + "wait" + "b" * 100
    assert aha.excerpt(text, 100) == "\u2026" + "a" * 60 + "wait" + "b" * 56 + "\u2026"
    assert aha.excerpt("wait", 0) == "wait"


def test_the_counts_can_be_asked_for(tmp_path: Path) -> None:
    write(tmp_path / "lake")
    out = tmp_path / "report"
    out.mkdir()
    aha.write_tables(out, {"r1_zero": ("grpo/200000000000", aha.track(tmp_path / "lake", Finder()))})
    assert pq.read_table(out / "aha.parquet").num_rows == 4
    store = open_store((tmp_path / "store").as_uri())
    publish(
        store, out, kind="report", fingerprint="a" * 64, version="2", config={}, inputs={}, seed=0, metrics={},
        provenance={"stage": "report", "run": "run-1"},
    )  # fmt: skip
    with open_lake(sources(store, tmp_path / "cache"), threads=1) as opened:
        assert opened.tables == ["aha", "aha_words"]
        first = "SELECT run, stage, first_step, prompt_id, sample FROM aha_words WHERE marker = 'wait' AND kind = 'backtracking'"
        assert opened.ask(first).rows == [("run-1", "r1_zero", 1, "easy", 1)]
        rate = "SELECT step, sum(backtracking_markers) / sum(completions) FROM aha GROUP BY 1 ORDER BY 1"
        assert opened.ask(rate).rows == [(1, 0.5), (2, 0.0), (3, 0.5)]
