"""What becomes of a published artifact that is damaged: reuse sees files and sizes, and no damaged byte is ever used."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from r1flow.components.store.artifact import all_artifacts
from r1flow.components.store.objects import open_store
from tests.conftest import Ran
from tests.runs import r1, stages

pytestmark = pytest.mark.long


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.fixture
def home(smoke: Ran, tmp_path: Path) -> Path:
    """A copy of the smoke run's home in which files can be harmed."""
    home = tmp_path / "home"
    shutil.copytree(smoke.home, home)
    for path in (home / "store" / "artifacts").rglob("*"):
        path.chmod(path.stat().st_mode | 0o200)
    return home


def folder_of(home: Path, smoke: Ran, stage: str) -> Path:
    ref = stages(smoke.summary)[stage]["ref"]
    return home / "store" / "artifacts" / ref["kind"] / ref["fingerprint"][:16]


def refused(home: Path, *names: str) -> None:
    """The next run ends with an error that has all these words in it."""
    done = r1(home, "run", "smoke")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    for name in ("IntegrityError", *names):
        assert name in done.stderr


@pytest.mark.parametrize(
    ("stage", "name", "damage", "said"),
    [
        ("base", "MANIFEST.json", flip, "is damaged: sha256 expected"),
        ("dev1", "model.safetensors", truncate, "bytes found"),
    ],
)
def test_what_a_listing_shows_stops_the_next_run(
    smoke: Ran, home: Path, stage: str, name: str, damage: Callable[[Path], None], said: str
) -> None:
    (victim,) = folder_of(home, smoke, stage).rglob(name)
    damage(victim)
    refused(home, name, said)


def test_a_flipped_byte_stops_whoever_reads_it_and_verify_store_names_it(smoke: Ran, home: Path) -> None:
    files = {"evaluate/base": "sums.parquet", "problems": "train.jsonl", "base": "model.safetensors"}
    folders = {stage: folder_of(home, smoke, stage) for stage in files}
    victims = {stage: next(folders[stage].rglob(name)) for stage, name in files.items()}
    for victim in victims.values():
        flip(victim)
    again = r1(home, "run", "smoke")  # reuses all stages and reads nothing of these
    assert again.returncode == 0, again.stderr

    told = r1(home, "verify-store")
    *lines, last = told.stdout.splitlines()
    assert told.returncode == 1
    assert last.endswith("3 damaged")
    for stage, folder in folders.items():
        (line,) = (line for line in lines if line.startswith(f"{folder.parent.name}/{folder.name}: "))
        assert f"{files[stage]} is damaged: sha256 expected" in line

    for victim in victims.values():
        flip(victim)  # back
    for stage, victim in victims.items():
        flip(victim)
        forget_readers(home, stages(smoke.summary)[stage]["ref"]["fingerprint"])
        refused(home, victim.name, "is damaged: sha256 expected")
        flip(victim)


def forget_readers(home: Path, fingerprint: str) -> None:
    """Whatever was made from this artifact has to be made again."""
    for ref, manifest in all_artifacts(open_store(str(home / "store"))):
        if fingerprint in {source.fingerprint for source in manifest.inputs.values()}:
            shutil.rmtree(home / "store" / "artifacts" / ref.kind / ref.fingerprint[:16])


def test_a_damaged_model_is_not_promoted(smoke: Ran, home: Path) -> None:
    (victim,) = folder_of(home, smoke, "r1").rglob("model.safetensors")
    flip(victim)
    shutil.rmtree(home / "store" / "promotions")
    refused(home, "model.safetensors", "is damaged: sha256 expected")
    assert not (home / "store" / "promotions").exists()
