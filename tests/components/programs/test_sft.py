"""SFT as a program: it learns its SFT data, and a run that was stopped ends with the bytes of one that was not."""

import json
import shutil

import pytest

from r1flow.components.core.errors import DataError
from r1flow.components.core.models import BUILTIN
from r1flow.components.core.schema import Row
from r1flow.components.data.files import dump_rows
from r1flow.components.programs.journal import Journal
from r1flow.components.programs.sft import main


def rows(num=22):
    return [
        Row(
            id=f"r{i % 9}",
            prompt="+".join(f"{(7 * i + k) % 90 + 10}" for k in range(2 + i % 4)),
            answer="11",
            verifier="exact",
            source="lake",
            completion=f"<think>{'12+3=15;' * (i % 3)}11</think>11",
        )
        for i in range(num)
    ]


@pytest.fixture
def spec(tmp_path):
    shutil.copytree(BUILTIN["tiny-student"], tmp_path / "base" / "model")
    (tmp_path / "set").mkdir()
    dump_rows(rows(), tmp_path / "set" / "sft.jsonl")

    def make(name, data="data", **more):
        (tmp_path / name).mkdir()
        return {
            "stage": "distilled",
            "seed": 1,
            "config": {
                "model": "model",
                "data": data,
                "epochs": 3,
                "batch_size": 5,
                "learning_rate": 1e-3,
                "micro_tokens": 90,
                "checkpoint_every": 4,
            },
            "prompt": {"template": "tiny", "format": "think"},
            "run": {"device": "cpu", "threads": 1},
            "inputs": {"model": str(tmp_path / "base"), "data": str(tmp_path / "set"), **more},
            "out": str(tmp_path / name / "out"),
            "work": str(tmp_path / name),
            "store": str(tmp_path / name / "store"),
            "checkpoints": "checkpoints/sft/1",
        }

    return make


def made(directory):
    out = directory / "out"
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_a_stopped_run_ends_with_the_bytes_of_one_that_was_not(spec, tmp_path, monkeypatch):
    metrics = main(spec("straight"))
    assert (metrics["examples"], metrics["steps"]) == (22, 15)
    stopped, record = spec("stopped"), Journal.record
    for stop in (3, 9, 14):

        def stopping(self, step, metrics, groups=(), stop=stop):
            record(self, step, metrics, groups)
            if step == stop:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Journal, "record", stopping)
            with pytest.raises(KeyboardInterrupt):
                main(stopped)
    main(stopped)
    assert made(tmp_path / "stopped") == made(tmp_path / "straight")
    losses = [json.loads(line)["loss"] for line in made(tmp_path / "straight")["history.jsonl"].splitlines()]
    assert losses[-1] < 0.7 * losses[0]


def test_a_row_that_cannot_be_taught_is_named(spec, tmp_path):
    dump_rows(
        [*rows(2), rows(1)[0].model_copy(update={"id": "odd", "completion": "\u4f60"})], tmp_path / "set" / "sft.jsonl"
    )
    with pytest.raises(DataError, match="row odd: this tokenizer cannot write the completion"):
        main(spec("run"))
    dump_rows([], tmp_path / "set" / "sft.jsonl")
    with pytest.raises(DataError, match=r"distilled\.data has no row; give other data"):
        main(spec("empty"))


def test_several_sets_are_learned_in_their_order_or_by_their_amounts(spec, tmp_path):
    (tmp_path / "more").mkdir()
    dump_rows(rows(4), tmp_path / "more" / "sft.jsonl")
    both = {"data.0": str(tmp_path / "set"), "data.1": str(tmp_path / "more")}
    assert main(spec("listed", ["data.0", "data.1"], **both))["examples"] == 26
    amounts = {"data.0": {"rows": 6}, "data.1": {"share": 0.25}}
    assert main(spec("mixed", amounts, **both))["examples"] == 8
    with pytest.raises(DataError, match=r"distilled\.data\.1: 6 rows are asked for, and there are 4"):
        main(spec("short", {"data.0": {"share": 0.5}, "data.1": {"rows": 6}}, **both))
