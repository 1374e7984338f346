"""A journal that is told to stop: a checkpoint of the very step, and a lake that is cut as if nothing had happened."""

import pytest

from r1flow.components.core.errors import BudgetExhausted, IntegrityError
from r1flow.components.core.rollout import Group
from r1flow.components.programs.journal import Journal
from r1flow.components.programs.spec import STOP, Spec
from r1flow.components.store.rollouts.lake import shards
from r1flow.components.training.engines.single import SingleEngine
from tests.fakes.tiny import make_rollout, tiny_model

EVERY, LAST = 3, 7


def journal(root):
    spec = Spec(
        stage="s",
        seed=0,
        config={},
        out=root / "out",
        work=root / "work",
        store=(root / "store").as_uri(),
        checkpoints="checkpoints/s",
    )
    spec.work.mkdir(parents=True, exist_ok=True)
    return Journal(spec, SingleEngine(tiny_model(), lambda _: 1e-3), every=EVERY, last_step=LAST)


def groups(step):
    rollouts = tuple(make_rollout((2, 3), (4 + step, 1), logprobs=(-1 / 3, -0.1 * step), sample=i) for i in range(2))
    return [Group(rollouts, (1 / step, -1 / step))]


def go(root, *, stop_after=None):
    """Record steps from the last checkpoint on; the journal's history."""
    book = journal(root)
    first = book.resume() + 1
    for step in range(first, LAST + 1):
        if step == stop_after:
            (book.spec.work / STOP).write_text("spent: raise it")
        book.record(step, {"reward": step / 3, "time/step_s": 1.0}, groups(step))
    book.finish()
    return first


@pytest.mark.parametrize("stop_after", [1, 2, 3, 4, 6])
def test_a_stopped_journal_goes_on_from_that_step_to_the_same_bytes(tmp_path, stop_after):
    assert go(tmp_path / "straight") == 1
    with pytest.raises(BudgetExhausted, match="raise it"):
        go(tmp_path / "stopped", stop_after=stop_after)
    (tmp_path / "stopped/work" / STOP).unlink()
    assert go(tmp_path / "stopped") == stop_after + 1
    ends = [{p.name: p.read_bytes() for p in shards(tmp_path / way / "out/lake")} for way in ("straight", "stopped")]
    assert ends[0] == ends[1]
    assert list(ends[0]) == [
        "steps-000001-000003.parquet",
        "steps-000004-000006.parquet",
        "steps-000007-000007.parquet",
    ]
    histories = [(tmp_path / way / "out/history.jsonl").read_bytes() for way in ("straight", "stopped")]
    assert histories[0] == histories[1]


def test_a_stop_at_the_last_step_comes_too_late(tmp_path):
    assert go(tmp_path, stop_after=LAST) == 1


@pytest.mark.parametrize("harm", ["flip", "delete"])
def test_a_shard_of_the_lake_that_is_damaged_or_gone_is_named_before_the_run_goes_on(tmp_path, harm):
    with pytest.raises(BudgetExhausted):
        go(tmp_path, stop_after=4)
    (tmp_path / "work" / STOP).unlink()
    (shard,) = (tmp_path / "store/checkpoints/s/lake").iterdir()
    if harm == "flip":
        data = bytearray(shard.read_bytes())
        data[len(data) // 2] ^= 1
        shard.chmod(0o644)
        shard.write_bytes(data)
    else:
        shard.unlink()
    with pytest.raises(
        IntegrityError, match=rf"{shard.name} is (damaged|missing): sha256 expected \w{{64}}, found (\w{{64}}|none)"
    ):
        go(tmp_path)
