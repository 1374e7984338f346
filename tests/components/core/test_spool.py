"""The spool: whole lines only, whatever a kill or a replacement left behind."""

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r1flow.components.core.errors import ConfigError
from r1flow.components.core.spool import Spool, SpoolTail, clean, read_spool


@pytest.fixture
def spool(tmp_path):
    return Spool(tmp_path / "work" / "metrics.jsonl")


def steps_of(rows):
    return [row.step for row in rows]


def tear(spool):
    """What a kill in the middle of a line leaves."""
    with spool.path.open("ab") as stream:
        stream.write(b'{"step": 9, "time_ms": 1, "met')


def test_rows_come_back_with_step_time_and_values(spool):
    spool.append(0, {"loss": 0.1 + 0.2})
    spool.append(1, {"loss": 1.0, "rewards/accuracy": 0.5})
    rows = read_spool(spool.path)
    assert steps_of(rows) == [0, 1]
    assert rows[0].metrics == {"loss": 0.1 + 0.2}
    assert rows[1].metrics == {"loss": 1.0, "rewards/accuracy": 0.5}
    assert rows[0].time_ms > 1_600_000_000_000


def test_a_spool_that_is_not_there_is_empty(tmp_path):
    assert read_spool(tmp_path / "none.jsonl") == []


def test_a_tail_gives_every_row_once(spool):
    tail = SpoolTail(spool.path)
    assert tail.poll() == []
    spool.append(1, {"a": 1})
    spool.append(2, {"a": 1})
    assert steps_of(tail.poll()) == [1, 2]
    assert tail.poll() == []
    spool.append(3, {"a": 1})
    assert steps_of(tail.poll()) == [3]


def test_a_line_that_is_still_being_written_waits(spool):
    tail = SpoolTail(spool.path)
    spool.append(1, {"a": 1})
    whole = spool.path.read_bytes()
    spool.path.write_bytes(whole[:-5])
    assert tail.poll() == []
    spool.path.write_bytes(whole)
    assert steps_of(tail.poll()) == [1]


def test_truncating_forgets_later_steps_and_torn_lines(spool):
    for step in range(6):
        spool.append(step, {"a": step})
    tear(spool)
    spool.truncate_after(3)
    assert steps_of(read_spool(spool.path)) == [0, 1, 2, 3]
    spool.append(4, {"a": 40})
    assert [(r.step, r.metrics["a"]) for r in read_spool(spool.path)][-1] == (4, 40)
    assert [p.name for p in spool.path.parent.iterdir()] == ["metrics.jsonl"]


def test_truncating_at_the_start_forgets_everything(spool):
    spool.append(0, {"a": 1})
    spool.append(1, {"a": 1})
    spool.truncate_after(0)
    assert read_spool(spool.path) == []


def test_a_program_that_starts_again_does_not_write_on_behind_a_torn_line(spool):
    spool.append(1, {"a": 1})
    tear(spool)
    Spool(spool.path).append(2, {"a": 2})
    assert steps_of(read_spool(spool.path)) == [1, 2]


def test_a_torn_line_in_the_middle_costs_itself_alone(spool):
    spool.append(1, {"a": 1})
    tear(spool)
    with spool.path.open("ab") as stream:
        stream.write(b"\n[1]\n{}\n7\nnull\n\xff\xfe\n")
    spool.append(2, {"a": 1})
    assert steps_of(read_spool(spool.path)) == [1, 2]


def test_a_tail_follows_a_replacement_from_its_beginning(spool):
    tail = SpoolTail(spool.path)
    for step in range(1, 5):
        spool.append(step, {"a": step})
    assert steps_of(tail.poll()) == [1, 2, 3, 4]
    spool.truncate_after(2)
    spool.append(3, {"a": 30})
    assert steps_of(tail.poll()) == [1, 2, 3]
    spool.append(4, {"a": 40})
    assert steps_of(tail.poll()) == [4]


def test_a_tail_that_was_replaced_between_looking_and_reading_loses_nothing(spool, monkeypatch):
    for step in range(1, 4):
        spool.append(step, {"a": step})
    tail = SpoolTail(spool.path)
    stream = spool.path.open("rb")  # opened, and then the program starts again
    spool.truncate_after(1)
    monkeypatch.setattr(type(spool.path), "open", lambda self, *a, **k: stream)
    assert steps_of(tail.poll()) == [1, 2, 3]
    monkeypatch.undo()
    for step in (2, 3):
        spool.append(step, {"a": 10 * step})
    assert [(r.step, r.metrics["a"]) for r in tail.poll()] == [(1, 1), (2, 20), (3, 30)]


def test_a_file_that_became_shorter_is_read_again(spool):
    tail = SpoolTail(spool.path)
    spool.append(1, {"a": 1})
    spool.append(2, {"a": 1})
    tail.poll()
    line = spool.path.read_bytes().splitlines(keepends=True)[0]
    spool.path.write_bytes(line)  # the same file, cut
    assert steps_of(tail.poll()) == [1]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_becomes_a_counter(value):
    assert clean({"loss": value, "kl": 1}) == {"loss/nonfinite": 1.0, "kl": 1.0}


@pytest.mark.parametrize(
    "name", ["pass@1", "", "a=b", "\u00e4", "a\n", "/", "/a", "a//b", "../a", ".", "a/", "a" * 300]
)
def test_names_that_a_tracking_server_would_refuse_are_refused_here(name):
    with pytest.raises(ConfigError, match=f"metric name {re.escape(repr(name))}: "):
        clean({name: 1.0})


@settings(deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z0-9_\- :]{1,9}(/[A-Za-z0-9_\-. :]{1,9}x){0,2}", fullmatch=True),
        st.floats(allow_nan=False, allow_infinity=False),
    )
)
def test_finite_metrics_are_kept_exactly(tmp_path_factory, metrics):
    spool = Spool(tmp_path_factory.mktemp("spool") / "m.jsonl")
    spool.append(1, metrics)
    assert read_spool(spool.path)[0].metrics == metrics
