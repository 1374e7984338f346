"""`r1 certify resume`: killed at every point of a step, the RL program ends as if nothing had happened; and it can tell."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from r1flow.components.processes.preload import ForkServer
from r1flow.components.recipe.engine import EngineConfig
from r1flow.components.training.checks.finding import Finding
from r1flow.components.training.checks.kill import PLACES
from r1flow.components.training.checks.resume import KILLS, Course, compare, prove_resume
from r1flow.tasks.session import PRELOAD

EQUAL = [
    "weights",
    "optimizer, reference, step count",
    "data order and completions",
    "metric history, times apart",
    "no step logged twice or left out",
]


def prove(home: Path, engine: EngineConfig) -> list[Finding]:
    with closing(ForkServer.start(PRELOAD)) as server:
        return list(prove_resume(home, engine, server, lambda what: None))


def failing(home: Path) -> list[str]:
    straight, killed = (Course(home / name, {}, EngineConfig(), None) for name in ("straight", "killed"))
    return [finding.what for finding in compare(straight, killed) if not finding.holds]


def flip(path: Path) -> None:
    """Change the last byte; doing it again changes it back."""
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))


def test_kills_at_every_point_change_nothing_and_every_difference_would_be_seen(tmp_path: Path) -> None:
    assert {point for point, _ in KILLS} == set(PLACES)
    findings = prove(tmp_path, EngineConfig())
    assert [f.what for f in findings if not f.holds] == []
    assert [f.what for f in findings[len(KILLS) :]] == EQUAL

    model = tmp_path / "killed" / "out" / "model" / "model.safetensors"
    flip(model)
    assert failing(tmp_path) == ["weights"]
    flip(model)
    history = tmp_path / "killed" / "out" / "history.jsonl"
    rows = [json.loads(line) for line in history.read_text().splitlines()]
    rows[3]["loss"] += 1e-9
    history.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert failing(tmp_path) == ["metric history, times apart"]
    spool = tmp_path / "killed" / "work" / "metrics.jsonl"
    spool.write_text(spool.read_text() + spool.read_text().splitlines()[-1] + "\n")
    assert failing(tmp_path) == ["metric history, times apart", "no step logged twice or left out"]
    (shard, *_) = sorted((tmp_path / "killed" / "out" / "lake").iterdir())
    shard.unlink()
    assert failing(tmp_path) == EQUAL[2:]


@pytest.mark.extra
@pytest.mark.timeout(1800)
def test_kills_of_one_of_two_ranks_change_nothing(tmp_path: Path) -> None:
    whole = {"stage3_param_persistence_threshold": 0}
    engine = EngineConfig(kind="deepspeed", zero_stage=3, ranks=2, timeout_s=120.0, settings=whole)
    assert [f for f in prove(tmp_path, engine) if not f.holds] == []
