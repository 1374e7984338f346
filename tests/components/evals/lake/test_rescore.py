"""A store whose verdicts an older verifier gave: what flips, what is kept, and who trained on it."""

import pytest

from r1flow.cli.rescore import rescore_all
from r1flow.components.core.errors import DataError
from r1flow.components.evals.lake.descendants import descendants, runs_of, trained_on
from r1flow.components.evals.lake.query import open_lake
from r1flow.components.evals.lake.rescore import can_be_rescored, rescore, verifier_digest
from r1flow.components.evals.lake.tables import sources
from r1flow.components.rewards.pool.pool import ScoringPool
from r1flow.components.store.artifact import all_artifacts, read_manifest
from r1flow.components.store.objects import open_store
from tests.components.evals.lake.lake_store import FILLS, fill, put


@pytest.fixture
def store(tmp_path):
    return open_store((tmp_path / "store").as_uri())


@pytest.fixture
def made(store, tmp_path):
    return fill(store, tmp_path / "made")


@pytest.fixture
def pool():
    with ScoringPool(1) as opened:
        yield opened


def flips(found):
    return {(row["problem_id"], row["sample"], row["before"], row["after"]) for row in found.flips}


@FILLS
def test_flips_are_the_completions_whose_verdict_is_another_now(store, filled, pool, tmp_path):
    made = filled(store, tmp_path / "made")
    found = rescore(store, made["rl"], tmp_path / "cache", pool)
    assert (found.completions, found.reused) == (6, False)
    assert flips(found) == {
        ("a", 0, "WRONG", "CORRECT"),
        ("b", 1, "CORRECT", "WRONG"),
        ("c", 1, None, "CORRECT"),
    }
    assert flips(rescore(store, made["evaluation"], tmp_path / "cache", pool)) == {("c", 1, "CORRECT", "WRONG")}


def test_what_these_verifiers_have_judged_is_not_judged_again(store, made, pool, tmp_path):
    first = rescore(store, made["rl"], tmp_path / "cache", pool)
    again = rescore(store, made["rl"], tmp_path / "cache", pool)
    assert (again.ref, again.reused, again.flips) == (first.ref, True, first.flips)
    assert read_manifest(store, first.ref).config == {"verifier": verifier_digest()}
    assert len(verifier_digest()) == 64


def test_the_lake_has_the_new_verdicts_beside_the_old_ones(store, made, pool, tmp_path):
    rescore(store, made["rl"], tmp_path / "cache", pool)
    rescore(store, made["evaluation"], tmp_path / "cache", pool)
    with open_lake(sources(store, tmp_path / "cache")) as lake:
        by_kind = (
            "SELECT before, after, count(*) FROM rescored WHERE before IS DISTINCT FROM after GROUP BY ALL ORDER BY ALL"
        )
        assert lake.ask(by_kind).rows == [("CORRECT", "WRONG", 2), ("WRONG", "CORRECT", 1), (None, "CORRECT", 1)]
        texts = (
            "SELECT r.text FROM rescored s JOIN rollouts r ON s.artifact = r.artifact AND s.step = r.step "
            "AND s.problem_id = r.prompt_id AND s.sample = r.sample WHERE s.before = 'CORRECT' AND s.after = 'WRONG'"
        )
        assert lake.ask(texts).rows == [("<think>x</think>\\boxed{13}",)]


@FILLS
def test_everything_that_was_made_from_the_completions_is_found(store, filled, tmp_path):
    made = filled(store, tmp_path / "made")
    known = {ref.fingerprint: manifest for ref, manifest in all_artifacts(store)}
    assert [known[name].kind for name in descendants(known, made["rl"].fingerprint)] == [
        "evaluation",
        "selection",
        "sft",
    ]
    assert trained_on(known, made["rl"]) == [made["rl"].fingerprint, made["sft"].fingerprint]
    assert trained_on(known, made["evaluation"]) == []
    runs = runs_of(store, known, trained_on(known, made["rl"]))
    assert runs == {"run-2": ["dev1 again"], "run-1": ["r1_zero", "dev1"]}


def test_the_command_names_flips_and_runs(store, made, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("R1_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("R1_STORE", store.uri)
    rescore_all([], 1)
    printed = capsys.readouterr().out
    for line in (
        "rl/200000000000  r1_zero  6 completions, 3 flips",
        "1 UNUSABLE -> CORRECT",
        "1 of them had an advantage other than 0",
        "trained on these completions: sft/400000000000",
        "in run run-2: dev1 again",
        "evaluation/500000000000  evaluate/r1_zero  2 completions, 1 flips",
    ):
        assert line in printed
    rescore_all(["rl/2000"], 1)
    assert "6 completions, 3 flips, as judged before" in capsys.readouterr().out


def test_what_cannot_be_judged_again_is_said(store, made, pool, tmp_path, monkeypatch):
    assert not can_be_rescored(read_manifest(store, made["sft"]))
    with pytest.raises(DataError, match="holds no completions with their problems"):
        rescore(store, made["sft"], tmp_path / "cache", pool)
    strange = put(store, tmp_path / "made" / "rl", "rl", 9, "other", {"data": made["selection"]})
    with pytest.raises(DataError, match=r"selection/300000000000 holds no train\.jsonl"):
        rescore(store, strange, tmp_path / "cache", pool)
    monkeypatch.setenv("R1_STORE", (tmp_path / "empty").as_uri())
    with pytest.raises(DataError, match="r1 run tiny"):
        rescore_all([], 1)
