"""Rollouts that wait in a checkpoint come back equal, to the last bit and in the order of their rewards."""

from r1flow.components.core.rollout import Group
from r1flow.components.store.rollouts.pending import read_pending, read_unsaved, write_pending, write_unsaved
from tests.fakes.tiny import make_rollout

ROLLOUTS = [
    make_rollout([5, 6], [7, 8, 1], logprobs=[-0.1, -1 / 3, -1e-300], rewards={"format": 1.0, "accuracy": None}),
    make_rollout([5], [7], logprobs=[-2.5], reward=None, verdict=None, language=None, finished=False, text="\u4f60\n"),
    make_rollout([5], [1], reward=0.1 + 0.2, rewards={}, format_ok=False, reflections=3, policy_version=41),
]


def test_every_field_comes_back_exactly(tmp_path):
    path = tmp_path / "pending.parquet"
    write_pending(path, {4: ROLLOUTS[:2], 3: ROLLOUTS})
    found = read_pending(path)
    assert found == {3: ROLLOUTS, 4: ROLLOUTS[:2]}
    assert list(found[3][0].rewards) == ["format", "accuracy"]


def test_the_same_rollouts_give_the_same_bytes(tmp_path):
    write_pending(tmp_path / "a", {3: ROLLOUTS})
    write_pending(tmp_path / "b", {3: ROLLOUTS})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_groups_without_a_shard_come_back_exactly(tmp_path):
    groups = [Group(tuple(ROLLOUTS[:2]), (1 / 3, -1 / 3)), Group(tuple(ROLLOUTS[2:]), (0.0,))]
    steps = [(7, groups), (8, groups[:1])]
    write_unsaved(tmp_path, steps)
    assert read_unsaved(tmp_path) == steps
    write_unsaved(tmp_path / "none", [])
    assert read_unsaved(tmp_path / "none") == []
