"""The models that ship with the project are what `r1 run tiny-base` makes."""

from hashlib import sha256
from pathlib import Path

import pytest

from tests.runs import ROOT, run_recipe

SHIPPED = ROOT / "components" / "tinyworld" / "models"


def _digests(directory: Path) -> dict[str, str]:
    names = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    return {name: sha256((directory / name).read_bytes()).hexdigest() for name in names}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_pre_training_again_gives_the_very_models_that_ship(tmp_path: Path) -> None:
    """Bit by bit on the type of processor they were made on; elsewhere float kernels differ and this test may not hold."""
    run_recipe(tmp_path, "tiny-base", timeout=1700)
    made = sorted((tmp_path / "store" / "artifacts" / "pretrained").glob("*/data/*/model"))
    shipped = [SHIPPED / "base", SHIPPED / "student"]
    assert sorted(map(str, map(_digests, made))) == sorted(map(str, map(_digests, shipped)))
