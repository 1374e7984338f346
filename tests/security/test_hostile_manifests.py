"""A manifest may be written by an enemy: it is refused before anything is written, in bounded memory, whatever it says."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r1flow.components.core.errors import IntegrityError, StoreError
from r1flow.components.store.artifact import find, materialize, publish, read_manifest, verify
from r1flow.components.store.checkpoint import Checkpoints
from r1flow.components.store.keys import safe_key
from r1flow.components.store.local import LocalStore
from r1flow.components.store.manifest import ArtifactRef
from r1flow.components.store.sealed import seal

FINGERPRINT = "5e" * 32
KEY = f"artifacts/model/{FINGERPRINT[:16]}/MANIFEST.json"
EVIL_PATHS = [
    "../evil",
    "../../../../../../tmp/evil",
    "a/../../evil",
    "a/./b",
    "a//b",
    "a/",
    ".",
    "..",
    "",
    "/etc/passwd",
    "//host/share",
    "C:\\evil",
    "..\\evil",
    "a\0b",
    "a\nb",
    "\u202egnp.exe",
    "a\u200b/b",
    "\u2025/evil",  # two dots in one character
    "\uff0e\uff0e/evil",  # two wide dots
    "a\uff0f..\uff0fevil",  # wide slashes
    "\ud800",
    ".r1-lock",
    ".r1-tmp-a-1-b",
    "a" * 256,
    "/".join(["deep"] * 300),
]


class Remote:
    """A directory that nobody may look into: what is wanted has to be fetched, as from S3."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._store = LocalStore(root)

    def local_path(self, key: str) -> None:
        return None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@pytest.fixture
def store(tmp_path: Path) -> Remote:
    return Remote(tmp_path / "store")


@pytest.fixture
def ref(store: Remote, tmp_path: Path) -> ArtifactRef:
    work = tmp_path / "work"
    (work / "deep").mkdir(parents=True)
    (work / "deep" / "a.bin").write_bytes(b"a" * 1000)
    (work / "b.bin").write_bytes(b"b" * 1000)
    facts: dict[str, Any] = {"config": {}, "inputs": {}, "seed": 0, "metrics": {}, "provenance": {}}
    return publish(store, work, kind="model", fingerprint=FINGERPRINT, version="1", **facts)


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """Everything but the cache must be afterwards what it was before."""
    before = _snapshot(tmp_path)
    yield tmp_path
    assert _snapshot(tmp_path) == before


def _snapshot(folder: Path) -> dict[str, bytes]:
    inside = (path for path in folder.rglob("*") if path.is_file() and "cache" not in path.relative_to(folder).parts)
    return {str(path): path.read_bytes() for path in inside if path.name != "MANIFEST.json"}


def forge(store: Remote, ref: ArtifactRef, change: dict[str, Any]) -> ArtifactRef:
    """The artifact's manifest with some members replaced, sealed anew, and the reference that somebody would hand on."""
    body = read_manifest(store, ref).model_dump(mode="json")
    return place(store, ref, {**body, **change})


def place(store: Remote, ref: ArtifactRef, body: dict[str, Any]) -> ArtifactRef:
    raw, digest = seal(body, "manifest")
    path = store.root / KEY
    path.chmod(0o644)
    path.write_bytes(raw)
    return ref.model_copy(update={"manifest_sha256": digest})


def refused(store: Remote, ref: ArtifactRef, folder: Path) -> str:
    with pytest.raises(StoreError) as caught:
        materialize(store, ref, folder / "cache")
    assert not list((folder / "cache").rglob("*")) if (folder / "cache").exists() else True
    with pytest.raises(StoreError):
        verify(store, ref)
    return str(caught.value)


@pytest.mark.parametrize("path", EVIL_PATHS, ids=ascii)
def test_a_path_that_leads_out_or_deceives_is_refused(
    store: Remote, ref: ArtifactRef, outside: Path, path: str
) -> None:
    (good, other) = read_manifest(store, ref).model_dump()["files"]
    message = refused(store, forge(store, ref, {"files": [good, {**other, "path": path}]}), outside)
    assert "MANIFEST.json" in message
    assert "refused" in message


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda a, b: [a, b, a], "twice"),
        (lambda a, b: [b, {**a, "path": "deep"}], "folder too"),
        (lambda a, b: [a, {**b, "size": -1}], "no manifest"),
        (lambda a, b: [a, {**b, "size": 10**30}], "expected"),
        (lambda a, b: [a, {**b, "size": b["size"] + 1}], "expected"),
        (lambda a, b: [a, {**b, "sha256": "0" * 64}], "sha256 expected"),
        (lambda a, b: [a, {**b, "sha256": "../" * 21 + "x"}], "no manifest"),
        (lambda a, b: [a, {**b, "mode": 0o777}], "no manifest"),
        (lambda a, b: [], "no manifest"),
        (lambda a, b: "deep/a.bin", "no manifest"),
    ],
)
def test_files_twice_of_wrong_sizes_or_of_no_sense_are_refused(
    store: Remote, ref: ArtifactRef, tmp_path: Path, change: Any, word: str
) -> None:
    files = change(*read_manifest(store, ref).model_dump()["files"])
    hostile = forge(store, ref, {"files": files})
    # Its data lie where the hostile manifest says, so that nothing but its own words can give it away.
    for entry in list((store.root / KEY).parent.glob("data/*")):
        wanted = _data_folder(store, hostile)
        if wanted and not (entry.parent / wanted).exists():
            os.rename(entry, entry.parent / wanted)
    with pytest.raises(StoreError, match=word):
        materialize(store, hostile, tmp_path / "cache")
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def _data_folder(store: Remote, ref: ArtifactRef) -> str:
    try:
        return read_manifest(store, ref).content_sha256[:16]
    except IntegrityError:
        return ""


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab./\\\0\u2025\uff0e\uff0f\u2024\u202e \n"), max_size=12))
def test_a_key_that_is_accepted_stays_below_the_root(key: str) -> None:
    try:
        accepted = safe_key(key)
    except StoreError:
        return
    assert os.path.normpath(os.path.join("/top", accepted)).startswith("/top/")
    assert os.path.normpath(accepted) == accepted


def test_symlinks_in_the_cache_are_replaced_and_what_they_point_to_is_left_alone(
    store: Remote, ref: ArtifactRef, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "b.bin").write_bytes(b"precious")
    folder = materialize(store, ref, tmp_path / "cache")
    (folder / "b.bin").unlink()
    (folder / "b.bin").symlink_to(elsewhere / "b.bin")
    assert materialize(store, ref, tmp_path / "cache") == folder
    assert not (folder / "b.bin").is_symlink()
    for target in (elsewhere, tmp_path / "absent"):
        _remove(folder)
        folder.symlink_to(target)
        assert materialize(store, ref, tmp_path / "cache") == folder
        assert not folder.is_symlink()
        assert (folder / "b.bin").read_bytes() == b"b" * 1000
    assert (elsewhere / "b.bin").read_bytes() == b"precious"
    assert [path.name for path in elsewhere.iterdir()] == ["b.bin"]


def _remove(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()
        return
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()


def test_a_symlink_in_the_store_is_refused_even_if_it_points_to_the_right_bytes(
    store: Remote, ref: ArtifactRef, tmp_path: Path
) -> None:
    (victim,) = store.root.rglob("b.bin")
    (tmp_path / "copy").write_bytes(victim.read_bytes())
    victim.unlink()
    victim.symlink_to(tmp_path / "copy")
    for read in (verify, lambda *what: materialize(*what, tmp_path / "cache")):
        with pytest.raises(IntegrityError, match=r"b\.bin is a symlink"):
            read(store, ref)
    manifest = store.root / KEY
    (tmp_path / "manifest").write_bytes(manifest.read_bytes())
    manifest.unlink()
    manifest.symlink_to(tmp_path / "manifest")
    with pytest.raises(IntegrityError, match=r"MANIFEST\.json is a symlink"):
        find(store, "model", FINGERPRINT)


def test_a_checkpoint_s_own_list_of_files_is_trusted_no_more(store: Remote, ref: ArtifactRef, tmp_path: Path) -> None:
    entry = read_manifest(store, ref).model_dump()["files"][0]
    for path in [*EVIL_PATHS[:3], "/etc/evil"]:
        raw, _ = seal({"step": 1, "files": [{**entry, "path": path}]}, "checkpoint")
        store.delete("c/step-000001/COMPLETE.json")
        store.create("c/step-000001/COMPLETE.json", raw)
        with pytest.raises(IntegrityError, match="refused"):
            Checkpoints(store, "c").load(1, tmp_path / "into")
    assert not (tmp_path / "into").exists()


HUGE = """
import hashlib, json, resource, sys
from pathlib import Path
from r1flow.components.core.errors import StoreError
from r1flow.components.store.artifact import find
from r1flow.components.store.objects import open_store
root, shape, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
head, tail = {"entries": (b'"files":[', b"1]}"), "brackets": (b'"config":[', b"1]}")}[shape]
entry = {"entries": b'{"path":"f/%07d","sha256":"' + b"0" * 64 + b'","size":1},', "brackets": b"[],"}[shape]
path = root / "artifacts" / "model" / ("5e" * 8) / "MANIFEST.json"
path.parent.mkdir(parents=True)
digest = hashlib.sha256(b"{")
with path.open("wb") as file:
    file.write(b'{"sha256":"' + b"0" * 64 + b'",')
    for part in (head, *(entry % number if shape == "entries" else entry for number in range(count)), tail):
        digest.update(part)
        file.write(part)
    file.seek(11)
    file.write(digest.hexdigest().encode())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    find(open_store(str(root)), "model", "5e" * 32)
    said = "nothing"
except StoreError as error:
    said = str(error)
print(json.dumps({"grown_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, "said": said}))
"""


@pytest.mark.parametrize(("shape", "count"), [("entries", 1_000_000), ("entries", 75_000), ("brackets", 2_500_000)])
def test_a_million_entries_are_refused_in_bounded_memory(tmp_path: Path, shape: str, count: int) -> None:
    """So are the largest documents that are read at all, whose seal is right and whose words are wrong."""
    arguments = [sys.executable, "-c", HUGE, str(tmp_path), shape, str(count)]
    done = subprocess.run(
        arguments, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=120, check=True
    )
    told = json.loads(done.stdout)
    assert "MANIFEST.json" in told["said"]
    assert told["grown_kib"] < 256 * 1024
