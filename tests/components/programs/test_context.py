"""What has no room in the model's positions is left out with a list, or refused, before the first step of every program."""

import json
import shutil

import pytest

from r1flow.components.core.errors import DataError
from r1flow.components.core.models import BUILTIN
from r1flow.components.core.schema import Row
from r1flow.components.data.files import dump_rows
from r1flow.components.data.ledger import LEDGER, read_ledger
from r1flow.components.programs import evaluate, rate, rl, sft
from r1flow.components.programs.context import LEFT_OUT

POSITIONS, MAX_TOKENS = 128, 20


def problem(name, prompt="12+3", skill="sum", **fields):
    return Row(id=name, prompt=prompt, answer="15", verifier="exact", source="test", skill=skill, **fields)


LONG = "1+" * 60 + "1"
"""A sum of over a hundred tokens."""
MIXED = [problem("long", LONG), *(problem(f"p{i}", f"{i + 10}+3") for i in range(6)), problem("longer", "1+" + LONG)]


@pytest.fixture
def spec(tmp_path):
    """The spec of a program by its stage's config; the model is the shipped student, ``rows`` are data or a suite."""
    shutil.copytree(BUILTIN["tiny-student"], tmp_path / "base" / "model")
    (tmp_path / "set").mkdir()

    def make(rows, name="train", stage="part", **config):
        dump_rows(rows, tmp_path / "set" / f"{name}.jsonl")
        shutil.rmtree(tmp_path / "work", ignore_errors=True)
        (tmp_path / "work").mkdir()
        return {
            "stage": stage,
            "seed": 1,
            "config": config,
            "prompt": {"template": "tiny", "format": "think"},
            "language": {"target": "0123456789", "other": "abcdefghij"},
            "run": {"device": "cpu", "threads": 1, "sampler": "transformers"},
            "inputs": {"model": str(tmp_path / "base"), "data": str(tmp_path / "set"), "suites": str(tmp_path / "set")},
            "out": str(tmp_path / "work" / "out"),
            "work": str(tmp_path / "work"),
            "store": str(tmp_path / "store"),
            "checkpoints": "checkpoints/part/1",
        }

    return make


def left_out(spec):
    return [json.loads(line) for line in open(f"{spec['out']}/{LEFT_OUT}", encoding="utf-8")]


def rating(**more):
    return {"kind": "rate", "model": "model", "data": "data", "samples": 2, "max_tokens": MAX_TOKENS, **more}


def test_a_rating_leaves_out_what_does_not_fit_and_lists_it(spec, tmp_path):
    given = spec(MIXED, **rating())
    metrics = rate.main(given)
    assert (metrics["problems"], metrics["left_out"]) == (6, 2)
    assert [line["id"] for line in left_out(given)] == ["long", "longer"]
    assert all(line["tokens"] + MAX_TOKENS > POSITIONS == line["positions"] for line in left_out(given))
    assert {r["id"] for r in read_ledger(tmp_path / "work" / "out" / LEDGER)} == {f"p{i}" for i in range(6)}


def test_where_all_fits_nothing_is_said(spec, tmp_path):
    assert "left_out" not in rate.main(spec(MIXED[1:-1], **rating()))
    assert not (tmp_path / "work" / "out" / LEFT_OUT).exists()


def test_a_skill_of_which_almost_nothing_fits_is_refused_with_the_longest(spec):
    words = [problem(f"w{i}", LONG + "+1" * i, "words") for i in range(11)] + [problem("short", skill="words")]
    said = r"dev2/rate: 13 of 20 problems have no room in the model's 128 positions \(the longest, w\d+: \d+ tokens and max_t"
    with pytest.raises(DataError, match=said):
        rate.main(spec(MIXED + words, stage="dev2/rate", **rating()))
    assert rate.main(spec(MIXED + words, **rating(skills=["sum"])))["problems"] == 6
    with pytest.raises(DataError, match=r"1 of 1 problems .* lower max_tokens, give shorter problems"):
        rate.main(spec(MIXED[:1], **rating()))


def training(**more):
    plain = {"model": "model", "data": "data", "steps": 1, "prompts_per_step": 2, "samples_per_prompt": 2}
    plain |= {"learning_rate": 1e-4, "max_tokens": MAX_TOKENS, "min_pass_rate": 0.0, "mixture": {"sum": 1.0}}
    return plain | more


def test_rl_draws_from_what_fits_and_lists_the_rest(spec, tmp_path):
    unasked = [problem("other", LONG, "words")]
    given = spec(MIXED + unasked, **training())
    rl.main(given)
    history = [json.loads(line) for line in (tmp_path / "work" / "out" / "history.jsonl").read_text().splitlines()]
    assert history[0]["left_out"] == 2
    assert [line["id"] for line in left_out(given)] == ["long", "longer"]
    with pytest.raises(DataError, match=r"r1: 8 of 8 problems have no room .* max_tokens 125 behind them"):
        rl.main(spec(MIXED, stage="r1", **training(max_tokens=125)))


def test_an_evaluation_is_refused_before_its_first_suite_for_it_would_be_another_one(spec, tmp_path):
    suite = {"source": {"uri": "x"}, "problems": 99, "samples": 1, "max_tokens": MAX_TOKENS}
    given = spec(MIXED[1:4], "first", "evaluate/r1", suites={"first": suite, "second": suite})
    dump_rows(MIXED, tmp_path / "set" / "second.jsonl")
    said = (
        r"evaluate/r1: suite second: 2 of 8 problems have no room .*the longest, longer: \d+ tokens and max_tokens 20"
    )
    with pytest.raises(DataError, match=said):
        evaluate.main(given)
    assert not list((tmp_path / "work").rglob("*.parquet"))
    assert "first/pass_at_1" in evaluate.main(given | {"config": {"suites": {"first": suite}}})


def test_sft_leaves_out_rows_longer_than_the_positions_by_their_place(spec, tmp_path):
    taught = [problem("same", "12+3", completion="<think>15</think>15") for _ in range(5)]
    taught.insert(2, problem("same", LONG, completion=f"<think>{LONG}</think>61"))
    config = {"model": "model", "data": "data", "epochs": 1, "batch_size": 2, "learning_rate": 1e-3}
    given = spec(taught, "sft", **config)
    metrics = sft.main(given)
    assert (metrics["examples"], metrics["left_out"], metrics["steps"]) == (5, 1, 3)
    assert [line["id"] for line in left_out(given)] == ["same"]
    with pytest.raises(DataError, match=r"1 of 1 rows have no room .*same: \d+ tokens\); give shorter rows"):
        sft.main(spec(taught[2:3], "sft", **config))
