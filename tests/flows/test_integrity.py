"""One flipped byte of anything that was published stops its next use."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import Ran
from tests.runs import r1


@pytest.mark.parametrize("name", ["model.safetensors", "train.jsonl", "MANIFEST.json", "sums.parquet"])
def test_a_flipped_byte_fails_the_next_use_naming_the_file_and_both_digests(
    smoke: Ran, tmp_path: Path, name: str
) -> None:
    home = tmp_path / "home"
    shutil.copytree(smoke.home, home)
    victim = sorted((home / "store" / "artifacts").rglob(name))[0]
    victim.chmod(0o644)
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.write_bytes(bytes(data))
    done = r1(home, "run", "smoke")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    message = done.stderr.strip()
    assert "IntegrityError" in message
    assert name in message
    assert len([word for word in message.replace(",", " ").replace(";", " ").split() if len(word) == 64]) >= 2
