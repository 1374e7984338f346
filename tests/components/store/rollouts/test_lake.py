"""Rollouts come back from Parquet as they were, and the same run writes the same bytes."""

import pyarrow.parquet as pq

from r1flow.components.core.rollout import Group
from r1flow.components.store.rollouts import lake
from tests.fakes.tiny import make_rollout


def make_group(step, size=3):
    rollouts = [
        make_rollout(
            [5, 6],
            range(2, 4 + i),
            logprobs=[-0.5] * (2 + i),
            prompt_id=f"p{step}",
            sample=i,
            text=f"<think>{step} \u4f60</think>\n{i}",
            reward=None if i == 2 else 0.1 + i,
            rewards={"format": 1.0, "accuracy": None if i == 2 else 0.1},
            verdict=None if i == 2 else "CORRECT",
            language=None if i == 1 else 1 / 3,
            finished=i != 1,
            format_ok=i == 0,
            reflections=i,
            policy_version=step - 1 - i,
        )
        for i in range(size)
    ]
    return Group(tuple(rollouts), tuple(0.1 * i for i in range(size)))


STEPS = [(step, [make_group(step), make_group(step, 1)]) for step in range(1, 6)]


def write(directory):
    lake.write_shard(directory / lake.shard_name(1, 3), STEPS[:3])
    lake.write_shard(directory / lake.shard_name(4, 5), STEPS[3:])


def test_every_rollout_comes_back_with_all_it_carried(tmp_path):
    write(tmp_path)
    rows = list(lake.read(tmp_path, lake.SCHEMA.names))
    members = [(s, r, a) for s, gs in STEPS for g in gs for r, a in zip(g.rollouts, g.advantages, strict=True)]
    assert len(rows) == len(members) == 20
    for row, (step, rollout, advantage) in zip(rows, members, strict=True):
        assert (row.pop("step"), row.pop("advantage")) == (step, advantage)
        assert row.pop("num_tokens") == len(rollout.ids)
        assert dict(row.pop("rewards")) == rollout.rewards
        for name in ("prompt_ids", "ids", "logprobs"):
            assert row.pop(name) == list(getattr(rollout, name))
        assert row == {name: getattr(rollout, name) for name in row}
        assert len(row) == 10


def test_how_stale_a_completion_was_can_be_read_from_the_lake(tmp_path):
    write(tmp_path)
    stale = [
        (r["sample"], r["step"] - 1 - r["policy_version"]) for r in lake.read(tmp_path, ["sample", "policy_version"])
    ]
    assert stale == [(0, 0), (1, 1), (2, 2), (0, 0)] * 5


def test_the_same_groups_give_the_same_bytes(tmp_path):
    write(tmp_path / "a")
    write(tmp_path / "b")
    names = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert names == ["steps-000001-000003.parquet", "steps-000004-000005.parquet"]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_query_may_look_at_the_last_steps_only(tmp_path):
    write(tmp_path)
    found = [(row["step"], row["text"]) for row in lake.read(tmp_path, ["text"], after_step=2)]
    assert [step for step, _ in found] == [3] * 4 + [4] * 4 + [5] * 4
    assert list(lake.read(tmp_path, ["text"], after_step=5)) == []


def test_the_last_step_is_known_from_the_names(tmp_path):
    assert lake.last_step(tmp_path) == 0
    assert list(lake.read(tmp_path, ["text"])) == []
    write(tmp_path)
    assert lake.last_step(tmp_path) == 5
    assert [p.name for p in lake.shards(tmp_path)] == ["steps-000001-000003.parquet", "steps-000004-000005.parquet"]


def test_a_shard_of_nothing_still_has_the_schema(tmp_path):
    path = tmp_path / "new" / lake.shard_name(1, 1)
    lake.write_shard(path, [(1, [])])
    assert pq.read_schema(path).names == lake.SCHEMA.names
