"""A growing log is shown line by line, and a flood is cut and counted."""

from r1flow.tasks.logtail import LINES_PER_MINUTE, LogTail


def test_whole_lines_are_shown_as_they_come(tmp_path):
    path, shown = tmp_path / "log.txt", []
    path.write_text("of an earlier try\n")
    tail = LogTail(path, shown.append)
    tail.poll()
    with path.open("ab") as log:
        log.write(b"first\nhalf a l")
        log.flush()
        tail.poll()
        assert shown == ["first"]
        log.write("ine: caf\u00e9"[:-1].encode() + "\u00e9".encode()[:1])  # cut inside a character
        log.flush()
        tail.poll()
        log.write("\u00e9".encode()[1:] + b"\n10%\r20%\r100%\nno end")
        log.flush()
    tail.poll()
    assert shown == ["first", "half a line: caf\u00e9", "100%"]
    tail.close()
    assert shown[3:] == ["no end"]


def test_a_flood_is_cut_and_counted(tmp_path):
    now, path, shown = [0.0], tmp_path / "log.txt", []
    tail = LogTail(path, shown.append, clock=lambda: now[0])
    tail.poll()
    path.write_text("".join(f"{i}\n" for i in range(1000)))
    tail.poll()
    assert shown == [str(i) for i in range(LINES_PER_MINUTE)]
    now[0] = 61.0
    with path.open("a") as log:
        log.write("after a minute\n")
    tail.poll()
    assert shown[LINES_PER_MINUTE:] == [
        f"({1000 - LINES_PER_MINUTE:,} more lines: the whole log is in MLflow, log.txt)",
        "after a minute",
    ]
