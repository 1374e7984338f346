"""The spool: what a killed writer leaves behind is read once, whole, and never twice."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.errors import ConfigError
from components.tracking.metrics import Spool, SpoolTail, clean, read_spool


def steps(path: Path) -> list[int]:
    return [row.step for row in read_spool(path)]


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "deep" / "metrics.jsonl")
    spool.append(1, {"loss": 0.5, "time/step": 2.0})
    spool.append(2, {"loss": 0.25})
    rows = read_spool(spool.path)
    assert [(row.step, row.metrics) for row in rows] == [(1, {"loss": 0.5, "time/step": 2.0}), (2, {"loss": 0.25})]
    assert rows[0].time_ms <= rows[1].time_ms


@settings(deadline=None)  # files
@given(kept=st.integers(0, 8), cut=st.integers(0, 60))
def test_a_killed_and_resumed_writer_leaves_every_step_once(
    tmp_path_factory: pytest.TempPathFactory, kept: int, cut: int
) -> None:
    path = tmp_path_factory.mktemp("spool") / "metrics.jsonl"
    first = Spool(path)
    for step in range(1, 9):
        first.append(step, {"loss": 1.0 / step})
    path.write_bytes(path.read_bytes()[: -cut or None])  # killed somewhere in the last line
    second = Spool(path)
    second.truncate_after(kept)
    survivors = steps(path)
    for step in range(len(survivors) + 1, 11):
        second.append(step, {"loss": 1.0 / step})
    assert steps(path) == list(range(1, 11))


def test_a_row_after_a_torn_line_is_not_glued_to_it(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    Spool(path).append(1, {"loss": 1.0})
    with path.open("a") as stream:
        stream.write('{"step": 2, "time')
    Spool(path).append(3, {"loss": 0.5})
    assert steps(path) == [1, 3]


def test_truncating_to_the_start_forgets_everything_and_needs_no_file(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "metrics.jsonl")
    spool.truncate_after(0)
    spool.append(0, {"loss": 1.0})
    spool.truncate_after(0)
    assert steps(spool.path) == []


def test_the_tail_gives_new_whole_lines_only(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    tail = SpoolTail(path)
    assert tail.poll() == []
    spool = Spool(path)
    spool.append(1, {"a": 1.0})
    assert [row.step for row in tail.poll()] == [1]
    assert tail.poll() == []
    line = json.dumps({"step": 2, "time_ms": 1, "metrics": {"a": 2.0}}) + "\n"
    with path.open("a") as stream:
        stream.write(line[:11])
        stream.flush()
        assert tail.poll() == []
        stream.write(line[11:])
    assert [row.step for row in tail.poll()] == [2]


def test_the_tail_starts_again_when_the_file_was_replaced_or_cut(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    spool, tail = Spool(path), SpoolTail(path)
    for step in (1, 2, 3):
        spool.append(step, {"a": 1.0})
    assert len(tail.poll()) == 3
    spool.truncate_after(2)
    assert [row.step for row in tail.poll()] == [1, 2]
    path.write_text("")  # in place: the same file, shorter
    spool.append(9, {"a": 1.0})
    assert [row.step for row in tail.poll()] == [9]


def test_lines_that_are_no_rows_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('[]\n{"step": 1}\n{"step": 2, "time_ms": 3, "metrics": {"a": 1}}\nnull\n{"step": "x"\n')
    assert steps(path) == [2]


def test_non_finite_values_become_counters() -> None:
    cleaned = clean({"a": math.nan, "b": math.inf, "c": -math.inf, "d": 1.0})
    assert cleaned == {"a/nonfinite": 1.0, "b/nonfinite": 1.0, "c/nonfinite": 1.0, "d": 1.0}


@pytest.mark.parametrize("name", ["pass@1", "a//b", "/a", "a/", "..", "../a", ".", "", "a/./b", "loss%", "x" * 241])
def test_names_that_mlflow_refuses_are_refused_at_once(name: str) -> None:
    with pytest.raises(ConfigError, match="metric name"):
        clean({name: 1.0})


@settings(deadline=None)  # the first example imports mlflow
@given(name=st.text(st.sampled_from("ab.-_/: @%"), min_size=1, max_size=12), finite=st.booleans())
def test_mlflow_takes_every_name_that_passes(name: str, finite: bool) -> None:
    from mlflow.utils.validation import _validate_metric_name

    try:
        cleaned = clean({name: 1.0 if finite else math.nan})
    except ConfigError:
        return
    for cleaned_name in cleaned:
        _validate_metric_name(cleaned_name)
