"""Checkpoints count once complete, and come back bit for bit or not at all."""

import random

import pytest

from r1flow.components.core.errors import IntegrityError, ObjectMissingError, StoreError, StoreUnavailable
from r1flow.components.store.checkpoint import Checkpoints
from r1flow.components.store.objects import open_store


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "store"))


@pytest.fixture
def state(tmp_path):
    def write(step):
        folder = tmp_path / f"state-{step}"
        (folder / "optimizer").mkdir(parents=True)
        (folder / "model.bin").write_bytes(random.Random(step).randbytes(4000))
        (folder / "optimizer" / "COMPLETE.json").write_text(str(step))  # a name of ours inside is no marker
        return folder

    return write


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_latest_checkpoint_comes_back_bit_for_bit(store, state, tmp_path):
    checkpoints = Checkpoints(store, "runs/a/checkpoints")
    assert checkpoints.latest() is None
    for step in (200, 400):
        checkpoints.save(step, state(step))
    assert checkpoints.latest() == 400
    checkpoints.load(400, tmp_path / "into")
    assert contents(tmp_path / "into") == contents(tmp_path / "state-400")
    (tmp_path / "hollow").mkdir()
    checkpoints.load(200, tmp_path / "hollow")
    assert contents(tmp_path / "hollow") == contents(tmp_path / "state-200")


def test_only_the_newest_complete_ones_stay(store, state):
    checkpoints = Checkpoints(store, "c", keep=2)
    for step in (100, 200, 300, 1_000_000):
        checkpoints.save(step, state(step))
    assert {key.split("/")[1] for key in store.list("c")} == {"step-000300", "step-1000000"}
    assert checkpoints.latest() == 1_000_000


def test_saving_a_complete_step_again_changes_nothing(store, state):
    checkpoints = Checkpoints(store, "c")
    checkpoints.save(1, state(1))
    before = {key: store.sha256(key) for key in store.list()}
    checkpoints.save(1, state(2))
    assert {key: store.sha256(key) for key in store.list()} == before


def test_a_half_written_checkpoint_does_not_count_and_the_earlier_one_is_untouched(store, state, tmp_path):
    checkpoints = Checkpoints(store, "c")
    checkpoints.save(1, state(1))
    create = store.create

    def fail(key, data):
        raise StoreUnavailable("the disk is full")

    store.create = fail
    with pytest.raises(StoreUnavailable):
        checkpoints.save(2, state(2))
    assert any(key.startswith("c/step-000002/") for key in store.list())
    assert checkpoints.latest() == 1
    checkpoints.load(1, tmp_path / "into")
    with pytest.raises(ObjectMissingError, match="step-000002"):
        checkpoints.load(2, tmp_path / "other")
    store.create = create
    checkpoints.save(3, state(3))
    assert {key.split("/")[1] for key in store.list("c")} == {"step-000001", "step-000003"}


def test_a_half_written_step_can_be_written_again_with_other_bytes(store, state, tmp_path):
    (tmp_path / "half").write_bytes(b"half of it")
    store.put_file(tmp_path / "half", "c/step-000005/0123456789abcdef/model.bin")
    checkpoints = Checkpoints(store, "c")
    checkpoints.save(5, state(5))
    checkpoints.load(5, tmp_path / "into")
    assert contents(tmp_path / "into") == contents(tmp_path / "state-5")


def test_damage_is_named_with_both_digests_and_nothing_is_loaded(store, state, tmp_path):
    checkpoints = Checkpoints(store, "c")
    checkpoints.save(1, state(1))
    for key in store.list():
        path = store.local_path(key)
        path.chmod(0o644)
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 4]))
        with pytest.raises(IntegrityError, match=r"sha256 expected \w{64}, found \w{64}") as caught:
            checkpoints.load(1, tmp_path / "into")
        assert key in str(caught.value)
        assert not (tmp_path / "into").exists()
        path.write_bytes(whole)
    store.delete(next(key for key in store.list() if key.endswith("model.bin")))
    with pytest.raises(IntegrityError, match=r"model\.bin is missing"):
        checkpoints.load(1, tmp_path / "into")


def test_loading_never_mixes_with_what_lies_there(store, state, tmp_path):
    checkpoints = Checkpoints(store, "c")
    checkpoints.save(1, state(1))
    (tmp_path / "into").mkdir()
    (tmp_path / "into" / "mine").write_text("")
    with pytest.raises(StoreError, match="into"):
        checkpoints.load(1, tmp_path / "into")
    assert list(contents(tmp_path / "into")) == ["mine"]
    assert not list(tmp_path.glob(".into*"))


def test_clear_removes_this_prefix_alone(store, state):
    for prefix in ("c", "cc"):
        Checkpoints(store, prefix).save(1, state(prefix == "c"))
    Checkpoints(store, "c").clear()
    assert Checkpoints(store, "c").latest() is None
    assert store.list("c") == []
    assert Checkpoints(store, "cc").latest() == 1


def test_keeping_none_is_refused(store):
    with pytest.raises(StoreError, match="at least one"):
        Checkpoints(store, "c", keep=0)
