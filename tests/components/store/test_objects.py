"""The local store: whole objects, conditional writes, and errors that name the fix."""

import errno
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from r1flow.components.core.errors import ConfigError, ObjectMissingError, StoreError, StoreUnavailable
from r1flow.components.store.objects import LocalStore, S3Store, open_store
from tests.runs import ROOT


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "a store"))


def test_uris_open_the_store_they_name(tmp_path):
    assert open_store(str(tmp_path)).uri == tmp_path.as_uri()
    assert open_store((tmp_path / "a b").as_uri()).root == tmp_path / "a b"
    assert open_store("relative/../x").root == Path.cwd() / "x"
    remote = open_store("s3://bucket/some/prefix/")
    assert isinstance(remote, S3Store)
    assert remote.uri == "s3://bucket/some/prefix"


@pytest.mark.parametrize("uri", ["", "  ", "gs://bucket/x", "s3://", "file://host/path", "https://x/y", "s3://b/x?y=1"])
def test_other_uris_are_refused(uri):
    with pytest.raises(ConfigError, match="is none of"):
        open_store(uri)


def test_opening_a_store_touches_nothing(tmp_path):
    store = open_store(str(tmp_path / "later"))
    assert store.list() == []
    assert not store.exists("a")
    assert not (tmp_path / "later").exists()


def test_what_is_created_can_be_read_listed_measured_and_deleted(store):
    assert store.create("a/b.bin", b"hello")
    assert store.read_bytes("a/b.bin") == b"hello"
    assert store.exists("a/b.bin")
    assert not store.exists("a")
    assert store.size("a/b.bin") == 5
    assert store.sha256("a/b.bin") == hashlib.sha256(b"hello").hexdigest()
    assert store.local_path("a/b.bin").read_bytes() == b"hello"
    assert store.list() == store.list("a") == ["a/b.bin"]
    assert store.list("b") == []
    assert store.sizes() == store.sizes("a") == {"a/b.bin": 5}
    assert store.sizes("b") == {}
    store.delete("a/b.bin")
    store.delete("a/b.bin")
    assert store.list() == []
    assert not store.local_path("a").exists()


def test_create_never_overwrites(store):
    assert store.create("k", b"first")
    assert not store.create("k", b"second")
    assert store.read_bytes("k") == b"first"


def test_a_prefix_is_a_folder_not_the_beginning_of_a_name(store):
    for key in ("a/x", "ab/x", "a/y/z"):
        store.create(key, b"")
    assert store.list("a") == ["a/x", "a/y/z"]


def test_files_go_in_and_out_whole(store, tmp_path):
    (tmp_path / "in").write_bytes(os.urandom(3_000_000))
    store.put_file(tmp_path / "in", "deep/er/file")
    store.get_file("deep/er/file", tmp_path / "made" / "out")
    assert (tmp_path / "made" / "out").read_bytes() == (tmp_path / "in").read_bytes()


@pytest.mark.parametrize("method", ["read_bytes", "size", "sha256"])
def test_a_missing_object_is_named(store, method):
    store.create("folder/x", b"")
    for key in ("nothing", "folder", "folder/x/y"):
        with pytest.raises(ObjectMissingError, match=key):
            getattr(store, method)(key)


def test_getting_a_missing_object_leaves_no_file(store, tmp_path):
    with pytest.raises(ObjectMissingError, match="nothing"):
        store.get_file("nothing", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_swap_replaces_exactly_what_was_expected(store):
    assert not store.swap("k", b"", b"new")
    store.create("k", b"old")
    assert not store.swap("k", b"other", b"new")
    assert store.swap("k", b"old", b"new")
    assert store.read_bytes("k") == b"new"


def test_a_failing_copy_leaves_neither_object_nor_temporary_file(store, tmp_path):
    with pytest.raises(StoreError, match="absent"):
        store.put_file(tmp_path / "absent", "k")
    assert not store.exists("k")
    assert list(tmp_path.rglob(".r1-tmp*")) == []


def test_temporary_files_of_dead_processes_are_hidden_and_removed(store, tmp_path):
    (tmp_path / "in").write_bytes(b"x" * 100)
    code = (
        "import os, signal, sys, shutil\n"
        "from pathlib import Path\n"
        "from r1flow.components.store.objects import open_store\n"
        "shutil.copyfileobj = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "open_store(sys.argv[1]).put_file(Path(sys.argv[2]), 'a/k')"
    )
    ended = subprocess.run([sys.executable, "-c", code, store.uri, str(tmp_path / "in")], cwd=ROOT, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    assert len(list(store.root.rglob(".r1-tmp*"))) == 1
    assert store.list() == []
    assert list(store.root.rglob(".r1-tmp*")) == []


def test_probe_passes_and_leaves_nothing(store):
    store.probe()
    assert store.list() == []


def test_probe_names_a_root_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match=r"file.*(File exists|Not a directory).*remove it"):
        open_store(str(tmp_path / "file")).probe()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a place where nobody may write")
def test_probe_names_a_place_that_cannot_be_written():
    with pytest.raises(StoreUnavailable, match="/proc/r1"):
        open_store("/proc/r1").probe()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_probe_names_missing_permission_and_its_mend(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StoreUnavailable, match=r"Permission denied; grant"):
        open_store(str(tmp_path / "s")).probe()


def test_a_full_disk_is_named_with_its_mend_and_leaves_no_object(tmp_path):
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from r1flow.components.store.objects import open_store\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))\n"
        "store = open_store(sys.argv[1])\n"
        "try:\n"
        "    store.put_file(Path(sys.argv[2]), 'big')\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, error, store.list())"
    )
    (tmp_path / "in").write_bytes(bytes(1 << 17))
    said = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "s"), str(tmp_path / "in")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
    assert said.startswith("StoreUnavailable cannot copy")
    assert os.strerror(errno.EFBIG) in said
    assert said.endswith("raise the file size limit (ulimit -f) []\n")


def test_a_local_store_is_what_a_path_opens(tmp_path):
    assert isinstance(open_store(str(tmp_path)), LocalStore)
