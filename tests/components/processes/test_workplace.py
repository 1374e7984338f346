"""A work directory is found again by the next try, and never shared by two that live."""

from r1flow.components.processes.workplace import own_directory


def test_the_next_try_finds_what_the_last_one_left(tmp_path):
    with own_directory(tmp_path / "work") as first:
        (first / "metrics.jsonl").write_text("1")
    with own_directory(tmp_path / "work") as second:
        assert second == first == tmp_path / "work"
        assert (second / "metrics.jsonl").read_text() == "1"


def test_beside_one_that_still_works_there_the_next_gets_its_own(tmp_path):
    with own_directory(tmp_path / "work") as first, own_directory(tmp_path / "work") as second:
        assert first == tmp_path / "work"
        assert second.parent == tmp_path
        assert second.name.startswith("work-")
        assert list(second.iterdir()) == []
