"""The outbox on its disk: what is read back of it, whatever happened to a line."""

import io
from pathlib import Path

from r1flow.components.tracking.outbox import Outbox, abandoned, read_events


def test_half_a_line_costs_itself_alone() -> None:
    stream = io.BytesIO(
        b'{"do": "tags", "run": "a"}\n{"do": "met{"do": "finish", "run": "a"}\n{"do": "finish", "run": "b"}\n{"do"'
    )
    stream.name = "events.jsonl"  # type: ignore[attr-defined]
    events = list(read_events(stream))
    assert [(event["do"], event["run"]) for event, _ in events] == [("tags", "a"), ("finish", "b")]
    assert events[-1][1] == stream.getvalue().rindex(b"\n") + 1


def test_an_outbox_is_nobody_elses_while_its_writer_lives(tmp_path: Path) -> None:
    box = Outbox(tmp_path, "run")
    box.write({"do": "finish", "run": "run"})
    assert list(abandoned(tmp_path)) == []
    box.close(delivered=False)
    assert [folder.name for folder, _ in abandoned(tmp_path)] == ["run"]
