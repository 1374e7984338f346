"""A directory's digest: its value, and that the cache never answers for files that changed."""

import hashlib
import os
import shutil
import time
from pathlib import Path

import pytest

from r1flow.components.core import digest
from r1flow.components.core.digest import directory_digest


@pytest.fixture
def model(tmp_path):
    directory = tmp_path / "model"
    (directory / "deep").mkdir(parents=True)
    (directory / "config.json").write_text("{}")
    (directory / "deep" / "weights").write_bytes(b"a" * 100)
    return directory


@pytest.fixture
def settled(monkeypatch):
    """Files count as settled at once: no test waits."""
    monkeypatch.setattr(digest, "SETTLED_NS", -(10**18))


@pytest.fixture
def reads(monkeypatch):
    """Names of the files that are read."""
    names, open_file = [], Path.open

    def opened(path, mode="r", **rest):
        if mode == "rb":
            names.append(path.name)
        return open_file(path, mode, **rest)

    monkeypatch.setattr(Path, "open", opened)
    return names


def plain(directory):
    """The definition: fingerprints are made of this value, so it may not move."""
    lines = ""
    for path in sorted(p for p in directory.rglob("*") if p.is_file()):
        lines += f"{path.relative_to(directory).as_posix()}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n"
    return hashlib.sha256(lines.encode()).hexdigest()


def test_the_value_is_that_of_names_and_contents(model, tmp_path):
    lines = (
        f"config.json\0{hashlib.sha256(b'{}').hexdigest()}\ndeep/weights\0{hashlib.sha256(b'a' * 100).hexdigest()}\n"
    )
    expected = hashlib.sha256(lines.encode()).hexdigest()
    assert plain(model) == directory_digest(model) == directory_digest(model, tmp_path / "cache") == expected


def test_unchanged_files_are_read_once(model, tmp_path, settled, reads):
    first = directory_digest(model, tmp_path / "cache")
    assert reads == ["config.json", "weights"]
    assert directory_digest(model, tmp_path / "cache") == first
    assert reads == ["config.json", "weights"]
    assert directory_digest(model) == first
    assert len(reads) == 4


def same_size(model):
    (model / "deep" / "weights").write_bytes(b"b" * 100)


def same_size_and_time(model):
    path = model / "deep" / "weights"
    times = path.stat()
    path.write_bytes(b"b" * 100)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def renamed(model):
    (model / "deep" / "weights").rename(model / "deep" / "other")


def replaced(model):
    path = model / "deep" / "weights"
    (model / "new").write_bytes(b"b" * 100)
    os.utime(model / "new", ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    (model / "new").replace(path)


def swapped(model):
    (model / "config.json").rename(model / "aside")
    (model / "deep" / "weights").rename(model / "config.json")
    (model / "aside").rename(model / "deep" / "weights")


def relinked(model):
    """As the hub's cache does: the name stays a link, and what it points to is another file."""
    (model.parent / "blob").write_bytes(b"b" * 100)
    (model / "deep" / "weights").unlink()
    (model / "deep" / "weights").symlink_to(model.parent / "blob")


@pytest.mark.parametrize("change", [same_size, same_size_and_time, renamed, replaced, swapped, relinked])
def test_what_changed_is_hashed_anew(model, tmp_path, settled, change):
    before = directory_digest(model, tmp_path / "cache")
    change(model)
    after = directory_digest(model, tmp_path / "cache")
    assert before != after == plain(model)
    assert directory_digest(model, tmp_path / "cache") == after


def test_what_was_only_touched_or_copied_is_read_again_and_has_the_same_digest(model, tmp_path, settled, reads):
    first = directory_digest(model, tmp_path / "cache")
    os.utime(model / "config.json")
    assert directory_digest(model, tmp_path / "cache") == first
    assert len(reads) == 4
    copy = shutil.copytree(model, tmp_path / "copy")
    assert directory_digest(copy, tmp_path / "cache") == first
    assert len([name for name in reads if name == "weights"]) >= 3


def test_files_of_the_last_two_seconds_and_of_the_future_are_not_cached(model, tmp_path):
    directory_digest(model, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()
    os.utime(model / "config.json", (time.time() + 1000, time.time() + 1000))
    directory_digest(model, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_files_that_change_while_they_are_read_are_not_cached(model, tmp_path, settled, monkeypatch):
    hash_file = hashlib.file_digest

    def slowly(stream, name):
        (model / "deep" / "weights").write_bytes(b"c" * 100)
        return hash_file(stream, name)

    monkeypatch.setattr(hashlib, "file_digest", slowly)
    directory_digest(model, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("damage", [b"", b"no digest", b"\xff" * 64, b"0" * 63])
def test_a_damaged_entry_is_no_answer(model, tmp_path, settled, damage):
    first = directory_digest(model, tmp_path / "cache")
    (entry,) = (tmp_path / "cache" / "digests").iterdir()
    entry.write_bytes(damage)
    assert directory_digest(model, tmp_path / "cache") == first
    assert entry.read_text() == first


def test_a_cache_that_cannot_be_written_changes_nothing(model, tmp_path, settled):
    (tmp_path / "cache").write_text("a file")
    assert directory_digest(model, tmp_path / "cache") == plain(model)
