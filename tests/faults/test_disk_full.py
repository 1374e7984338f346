"""A disk that is full: what was durable stays, nothing half-written is left, and the message names path and bytes."""

import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from r1flow.components.core.errors import StageFailed, StoreUnavailable
from r1flow.components.processes.keeper import run_program
from r1flow.components.store.artifact import all_artifacts, publish
from r1flow.components.store.checkpoint import Checkpoints
from r1flow.components.store.objects import open_store

MIB = 1 << 20


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small file system, and only where mounting is allowed")
    try:
        space = os.statvfs(folder)
        if space.f_blocks * space.f_frsize != 16 * MIB:
            pytest.skip("this kernel does not bound a file system in memory")
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def files(folder: Path, mib: int) -> Path:
    folder.mkdir()
    for number in range(mib):
        (folder / f"{number}.bin").write_bytes(random.Random(number).randbytes(MIB))
    return folder


def test_a_checkpoint_that_finds_no_room_leaves_the_one_before_intact(small: Path, tmp_path: Path) -> None:
    store = open_store(str(small / "store"))
    kept = Checkpoints(store, "c/state")
    kept.save(1, files(tmp_path / "one", 4))
    too_much = files(tmp_path / "two", 20)
    with pytest.raises(
        StoreUnavailable, match=r"two/\d+\.bin \(1,048,576 bytes\) to \S+/step-000002/.* free space there"
    ):
        kept.save(2, too_much)
    assert kept.latest() == 1
    kept.load(1, tmp_path / "loaded")
    assert (tmp_path / "loaded" / "3.bin").read_bytes() == (tmp_path / "one" / "3.bin").read_bytes()
    left = [path for path in (small / "store").rglob("*") if path.is_file() and path.name != ".r1-lock"]
    assert [path for path in left if not path.stat().st_size or path.name.startswith(".r1-")] == []


def test_an_artifact_that_finds_no_room_is_not_published_and_goes_on_when_there_is_some(
    small: Path, tmp_path: Path
) -> None:
    store = open_store(str(small / "store"))
    work = files(tmp_path / "work", 10)
    ballast = small / "ballast"
    ballast.write_bytes(bytes(10 * MIB))
    facts: dict[str, dict[str, object]] = {"config": {}, "inputs": {}, "metrics": {}, "provenance": {}}
    with pytest.raises(StoreUnavailable, match="free space there"):
        publish(store, work, kind="model", fingerprint="ab" * 32, version="1", seed=0, **facts)  # type: ignore[arg-type]
    assert all_artifacts(store) == []
    ballast.unlink()
    ref = publish(store, work, kind="model", fingerprint="ab" * 32, version="1", seed=0, **facts)  # type: ignore[arg-type]
    assert [found for found, _ in all_artifacts(store)] == [ref]


def test_a_program_that_fills_its_disk_says_so(small: Path) -> None:
    work = small / "work"
    with pytest.raises(StageFailed, match=rf"{work} has [\d,]+ bytes left: free space there, or set R1_HOME"):
        run_program(
            "tests.faults.acts", {"do": "fill", "file": str(small / "big")}, work=work, server=None, timeout_s=60.0
        )
