"""200 of 200: whatever happens to one file of a published artifact is found before its bytes are used, and the file is named."""

import random
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from r1flow.components.core.errors import IntegrityError, ObjectMissingError
from r1flow.components.store.artifact import all_artifacts, check, find, materialize, publish, verify, verify_all
from r1flow.components.store.manifest import ArtifactRef
from r1flow.components.store.objects import ObjectStore, open_store
from tests.conftest import Ran

CASES = 200
SAID = r"sha256 (expected \S{64}, found (\w{64}|none)|\w{64} expected, \d+ bytes found)"
KINDS = (".safetensors", ".parquet", ".json", ".jsonl", ".arrow")
Damage = Callable[[list[Path], random.Random], set[str]]


@pytest.fixture(scope="module")
def store(smoke: Ran, tmp_path_factory: pytest.TempPathFactory) -> ObjectStore:
    """A copy of the smoke run's store, and an Arrow table in it: no stage keeps one."""
    home = tmp_path_factory.mktemp("corruption")
    shutil.copytree(smoke.home / "store" / "artifacts", home / "store" / "artifacts")
    for path in (home / "store").rglob("*"):
        path.chmod(path.stat().st_mode | 0o200)
    store = open_store(str(home / "store"))
    (home / "table").mkdir()
    for number in range(2):
        table = pa.table({"text": [random.Random(number).randbytes(40).hex() for _ in range(500)], "n": range(500)})
        with pa.ipc.new_file(home / "table" / f"{number}.arrow", table.schema) as writer:
            writer.write_table(table)
    facts = {"config": {}, "inputs": {}, "metrics": {}, "provenance": {}}
    publish(store, home / "table", kind="table", fingerprint="7a" * 32, version="1", seed=0, **facts)
    for path in (home / "store" / "artifacts" / "table").rglob("*"):
        path.chmod(path.stat().st_mode | 0o200)
    return store


def flip(files: list[Path], chance: random.Random) -> set[str]:
    """One bit of one byte."""
    path = chance.choice(files)
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)
    return {path.name}


def truncate(files: list[Path], chance: random.Random) -> set[str]:
    path = chance.choice(files)
    with path.open("r+b") as file:
        file.truncate(chance.randrange(path.stat().st_size))
    return {path.name}


def delete(files: list[Path], chance: random.Random) -> set[str]:
    path = chance.choice(files)
    path.unlink()
    return {path.name}


def swap(files: list[Path], chance: random.Random) -> set[str]:
    """Two files of other bytes take each other's names; one alone is put in the place of its manifest."""
    first = chance.choice(files)
    second = chance.choice([path for path in files if path.read_bytes() != first.read_bytes()])
    aside = first.with_name("aside")
    first.rename(aside)
    second.rename(first)
    aside.rename(second)
    return {first.name, second.name}


@pytest.fixture(scope="module")
def cases(store: ObjectStore) -> Iterator[tuple[Damage, ArtifactRef, list[Path]]]:
    """Artifacts and kinds of damage in turn; every kind of file is met."""
    refs = [ref for ref, _ in all_artifacts(store)]
    damages: list[Damage] = [flip, truncate, delete, swap]
    return ((damages[n % 4], refs[n // 4 % len(refs)], _files(store, refs[n // 4 % len(refs)])) for n in range(CASES))


def test_every_corruption_is_found_before_use_and_its_file_named(store: ObjectStore, cases, tmp_path: Path) -> None:
    met: Counter[tuple[str, str]] = Counter()
    found = 0
    for number, (damage, ref, files) in enumerate(cases):
        chance = random.Random(number)
        kept = {path: path.read_bytes() for path in files}
        names = damage(files, chance)
        for read in (verify, lambda *what: materialize(*what, tmp_path / "cache")):
            with pytest.raises((IntegrityError, ObjectMissingError)) as caught:
                read(store, ref)
            message = str(caught.value)
            assert any(name in message for name in names), message
            if isinstance(caught.value, IntegrityError):
                assert re.search(SAID, message), message
        unpublished = damage is delete and "MANIFEST.json" in names  # it is no artifact: its stage runs again
        told = [] if unpublished else [str(error) for _, error in verify_all(store, ref.kind) if error]
        assert unpublished or (len(told) == 1 and any(name in told[0] for name in names)), told
        if damage in (truncate, delete) or "MANIFEST.json" in names:
            with pytest.raises((IntegrityError, ObjectMissingError)):
                check(store, ref)
        if "MANIFEST.json" in names and damage is not delete:
            with pytest.raises(IntegrityError, match=r"MANIFEST\.json is damaged"):
                find(store, ref.kind, ref.fingerprint)
        found += 1
        met.update((damage.__name__, Path(name).suffix) for name in names)
        for path, data in kept.items():
            path.unlink(missing_ok=True)
            path.write_bytes(data)
    assert found == CASES
    assert {suffix for _, suffix in met} >= set(KINDS)
    for ref, _ in all_artifacts(store):
        verify(store, ref)  # everything was put back


def _files(store: ObjectStore, ref: ArtifactRef) -> list[Path]:
    """The artifact's files and its manifest, but for empty ones, which no byte of can be damaged."""
    folder = store.local_path(f"artifacts/{ref.kind}/{ref.fingerprint[:16]}")
    assert folder is not None
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
