"""Retention deletes what nothing refers to, and nothing else."""

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from r1flow.components.store.artifact import all_artifacts, find, publish, verify
from r1flow.components.store.checkpoint import Checkpoints
from r1flow.components.store.objects import open_store
from r1flow.components.store.retention import DAY_S, delete_finished_checkpoints, delete_unreferenced, unreferenced
from r1flow.components.store.runs import write_summary


@st.composite
def graphs(draw):
    """Artifacts made from earlier ones, and some that are held on to."""
    num = draw(st.integers(1, 12))
    inputs = {
        str(i): [str(j) for j in draw(st.sets(st.integers(0, i - 1), max_size=3))] if i else [] for i in range(num)
    }
    return inputs, draw(st.sets(st.sampled_from(sorted(inputs))))


@settings(max_examples=1000, deadline=None)
@given(graphs())
def test_what_a_root_leads_to_stays_and_the_rest_goes(graph):
    inputs, roots = graph
    gone = unreferenced(inputs, roots)
    # Independently: grow the kept set until nothing is added.
    kept = set(roots)
    while more := {source for name in kept for source in inputs[name]} - kept:
        kept |= more
    assert gone == set(inputs) - kept


def put(store, folder, name, days_old, inputs=(), kind="model"):
    out = folder / f"out-{name}"
    out.mkdir()
    (out / "weights").write_text(name)
    return publish(
        store, out, kind=kind, fingerprint=name * 64, version="1", config={}, seed=0, metrics={},
        inputs={ref.fingerprint[0]: ref for ref in inputs}, provenance={"started": time.time() - days_old * DAY_S},
    )  # fmt: skip


def test_old_artifacts_go_unless_a_champion_a_run_or_a_younger_one_leads_to_them(tmp_path):
    store = open_store(str(tmp_path / "store"))
    forgotten = put(store, tmp_path, "a", 40)
    data = put(store, tmp_path, "b", 50)
    champion = put(store, tmp_path, "c", 45, [data])
    of_young = put(store, tmp_path, "d", 40)
    young = put(store, tmp_path, "e", 2, [of_young])
    of_run = put(store, tmp_path, "f", 40)
    of_old_run = put(store, tmp_path, "9", 40)
    stages = lambda ref: {"stages": [{"ref": ref.model_dump()}]}  # noqa: E731
    write_summary(store, "new", {"run": "new", "ended": time.time() - 3 * DAY_S, **stages(of_run)})
    write_summary(store, "old", {"run": "old", "ended": time.time() - 39 * DAY_S, **stages(of_old_run)})
    deleted = delete_unreferenced(store, [champion], older_than_days=30)
    assert {ref.fingerprint for ref in deleted} == {forgotten.fingerprint, of_old_run.fingerprint}
    assert not store.list(f"artifacts/model/{'a' * 16}")
    kept = [ref for ref, _ in all_artifacts(store)]
    assert kept == [data, champion, of_young, young, of_run]
    for ref in kept:
        verify(store, ref)
    assert delete_unreferenced(store, [champion], older_than_days=30) == []


def test_checkpoints_of_what_is_published_go_and_those_of_unfinished_work_stay(tmp_path):
    store = open_store(str(tmp_path / "store"))
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "weights").write_text("...")
    done, open_work = (Checkpoints(store, f"checkpoints/model/{digit * 16}") for digit in "ab")
    for checkpoints in (done, open_work):
        checkpoints.save(3, tmp_path / "state")
    put(store, tmp_path, "a", 0)
    assert delete_finished_checkpoints(store) == 2
    assert (done.latest(), open_work.latest()) == (None, 3)
    assert find(store, "model", "a" * 64) is not None
