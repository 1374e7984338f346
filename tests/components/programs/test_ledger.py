"""The ledger of several lakes, and the problems that RL takes by it."""

import json

import pytest
from pydantic import ValidationError

from r1flow.components.core.artifacts import Dataset
from r1flow.components.core.errors import DataError
from r1flow.components.core.rollout import Group
from r1flow.components.core.schema import Row
from r1flow.components.data.files import dump_rows, load_rows
from r1flow.components.data.ledger import LEDGER, read_ledger, read_rates
from r1flow.components.programs.ledger import main
from r1flow.components.programs.pools import training_pools
from r1flow.components.programs.spec import Spec
from r1flow.components.recipe.difficulty import DifficultyConfig
from r1flow.components.recipe.grpo import GrpoConfig
from r1flow.components.recipe.stages import RlStage
from r1flow.components.store.rollouts import lake
from tests.fakes.tiny import make_rollout


def row(name, answer="2", **fields):
    return Row(id=name, prompt=f"{name}?", answer=answer, verifier="exact", source="s", skill="sum", **fields)


def write_lake(directory, problems, step, answers):
    """``answers`` by problem; "ok" is the gold one."""
    gold = {r.id: r.answer for r in problems}
    groups = []
    for name, given in answers.items():
        texts = [gold[name] if a == "ok" else a for a in given]
        verdicts = ["CORRECT" if a == "ok" else ("INFRA" if a == "?" else "WRONG") for a in given]
        rollouts = tuple(
            make_rollout((1,), (2,), prompt_id=name, sample=i, text=f"<think>x</think>{t}", verdict=v)
            for i, (t, v) in enumerate(zip(texts, verdicts, strict=True))
        )
        groups.append(Group(rollouts, (0.0,) * len(rollouts)))
    lake.write_shard(directory / "lake" / lake.shard_name(step, step), [(step, groups)])


@pytest.fixture
def spec(tmp_path):
    old = [row("easy"), row("hard"), row("wrong-label", "5"), row("shared")]
    new = [row("easy"), row("shared", answer="3")]  # one row is the same, the other has had its label fixed
    for name, rows in (("old", old), ("new", new)):
        (tmp_path / name).mkdir()
        dump_rows(rows, tmp_path / name / "train.jsonl")
    even = ["ok", "4"] * 10
    write_lake(tmp_path / "zero", old, 1, {"easy": ["ok"] * 19 + ["?"], "hard": ["4", "5"] * 10, "shared": even})
    write_lake(tmp_path / "zero", old, 7, {"wrong-label": ["6"] * 19 + ["x"]})
    write_lake(tmp_path / "dev", new, 3, {"easy": even, "shared": ["ok"] * 20})
    lakes = {
        "lake/zero": {"artifact": "grpo/aa", "dataset": "dataset/old", "stage": "r1_zero"},
        "lake/dev": {"artifact": "grpo/bb", "dataset": "dataset/new", "stage": "dev2"},
    }
    return {
        "stage": "ledger",
        "seed": 0,
        "config": {"ledger": {"min_samples": 16}, "lakes": lakes},
        "inputs": {
            "lake/zero": str(tmp_path / "zero"),
            "lake/dev": str(tmp_path / "dev"),
            "dataset/old": str(tmp_path / "old"),
            "dataset/new": str(tmp_path / "new"),
        },
        "out": str(tmp_path / "out"),
        "work": str(tmp_path),
        "store": "x",
        "checkpoints": "y",
    }


def ledger(spec):
    main(spec)
    return Spec.model_validate(spec).out


def test_every_problem_is_counted_over_all_lakes(spec):
    metrics = main(spec)
    assert metrics == {
        "lakes": 2, "problems": 5, "samples": 119, "unscored": 1, "never_solved": 2, "label_looks_wrong": 1,
    }  # fmt: skip
    out = Spec.model_validate(spec).out
    rows = {(r["id"], r["gold"]): r for r in read_ledger(out / LEDGER)}
    assert (rows["easy", "2"]["samples"], rows["easy", "2"]["correct"], rows["easy", "2"]["unscored"]) == (39, 29, 1)
    assert rows["easy", "2"]["policies"] == [
        {"artifact": "grpo/aa", "stage": "r1_zero", "first_step": 1, "last_step": 1, "samples": 19, "correct": 19},
        {"artifact": "grpo/bb", "stage": "dev2", "first_step": 3, "last_step": 3, "samples": 20, "correct": 10},
    ]
    assert [rows["shared", gold]["pass_rate"] for gold in ("2", "3")] == [0.5, 1.0]
    doubtful = [json.loads(line) for line in (out / "label_looks_wrong.jsonl").read_text().splitlines()]
    assert [(d["id"], d["gold"], d["majority"], d["majority_share"]) for d in doubtful] == [
        ("wrong-label", "5", "6", 0.95)
    ]
    unsolved = [json.loads(line)["id"] for line in (out / "never_solved.jsonl").read_text().splitlines()]
    assert unsolved == ["hard", "wrong-label"]


def test_the_same_lakes_give_the_same_bytes(spec):
    out = ledger(spec)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert {path.name: path.read_bytes() for path in ledger(spec).iterdir()} == before


def test_a_completion_of_no_known_problem_is_an_error(spec, tmp_path):
    dump_rows([row("easy")], tmp_path / "old" / "train.jsonl")
    with pytest.raises(DataError, match=r"lake of grpo/aa, step 1: problem 'hard' is not in its dataset"):
        main(spec)


def test_rates_of_one_policy(spec):
    path = ledger(spec) / LEDGER
    assert {key.split("#")[0]: rate for key, rate in read_rates(path, "r1_zero").items()} == {
        "easy": (19, 19), "hard": (20, 0), "shared": (20, 10), "wrong-label": (20, 0),
    }  # fmt: skip
    assert len(read_rates(path)) == 5
    with pytest.raises(DataError, match=r"policy 'r2'; it has dev2 \(grpo/bb\), r1_zero \(grpo/aa\)"):
        read_rates(path, "r2")
    with pytest.raises(DataError, match="the artifact is no ledger"):
        read_rates(path.parent / "absent.parquet")


def grpo(**difficulty):
    """An RL stage as its program reads it: roles in place of names."""
    given = {"rates": "difficulty.rates"} | difficulty
    return RlStage(
        model="model",
        data="data",
        steps=2,
        prompts_per_step=1,
        learning_rate=1e-3,
        max_tokens=9,
        mixture={"sum": 1},
        difficulty=given,
    )


def pools(spec, config, rates="ledger"):
    inputs = {"data": spec["inputs"]["dataset/old"], "difficulty.rates": str(ledger(spec))}
    given = Spec.model_validate(spec | {"inputs": inputs, "notes": {"rates": rates}})
    rows = load_rows(Dataset(given.inputs["data"]).train)
    found, metrics = training_pools(given, config, rows)
    return {skill: [r.id for r in pool] for skill, pool in found.items()}, metrics


def test_rl_draws_from_problems_of_the_asked_difficulty(spec):
    found, metrics = pools(spec, grpo())
    assert found == {"sum": ["easy", "shared"]}
    assert metrics == {
        "difficulty/kept": 2, "difficulty/too_hard": 2, "difficulty/too_easy": 0, "difficulty/unrated": 0,
    }  # fmt: skip
    assert pools(spec, grpo(policy="r1_zero"))[0] == {"sum": ["shared"]}
    assert pools(spec, grpo(samples=21))[0] == {"sum": ["easy"]}
    assert pools(spec, grpo(samples=21), rates="rates")[0] == {
        "sum": ["easy", "shared"]
    }  # they are as many as were asked


def test_a_curriculum_goes_from_easy_to_hard_in_as_many_problems_as_are_drawn(spec):
    ordered = {"keep": (0.0, 1.0), "order": "easy_to_hard"}
    assert pools(spec, grpo(**ordered))[0] == {"sum": ["easy", "wrong-label"]}
    longer = grpo(**ordered).model_copy(update={"steps": 9})
    assert pools(spec, longer)[0] == {"sum": ["easy", "shared", "hard", "wrong-label"]}


def test_nothing_left_says_how_the_problems_fell(spec):
    with pytest.raises(DataError, match=r"no problem of sum has a pass rate from 0.9 to 0.95 .*[(]4 are harder"):
        pools(spec, grpo(keep=(0.9, 0.95)))


def test_without_difficulty_all_problems_are_taken(spec):
    found, metrics = pools(spec, grpo().model_copy(update={"difficulty": None}))
    assert len(found["sum"]) == 4
    assert metrics == {}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"keep": (0.8, 0.2)}, "the lowest pass rate is above the highest"),
        ({"policy": "dev2"}, "give rates too"),
        ({"keep": (0.0, 1.0)}, "leave it out"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given, message):
    with pytest.raises(ValidationError, match=message):
        DifficultyConfig(**given)


def test_refills_and_a_curriculum_exclude_each_other():
    with pytest.raises(ValidationError, match="exclude each other"):
        GrpoConfig(steps=2, learning_rate=1e-3, max_tokens=9, refill_rounds=1, difficulty={"order": "easy_to_hard"})
