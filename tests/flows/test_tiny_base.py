"""The models that ship with the project are what `r1 run tiny-base` makes."""

from hashlib import sha256
from pathlib import Path

import pytest

from r1flow.components.core.models import BUILTIN_MODELS
from tests.runs import run_recipe, stages


def _digests(directory: Path) -> dict[str, str]:
    names = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    return {name: sha256((directory / name).read_bytes()).hexdigest() for name in names}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_pre_training_again_gives_the_models_that_ship_or_on_another_processor_their_like(tmp_path: Path) -> None:
    """Bit by bit on the type of processor they were made on. Elsewhere float kernels round otherwise, and the step at which
    the skill appears moves: base pass@1 of 0.31 and 0.36 and a student's of 0.22 and 0.33 were seen on two types."""
    found = stages(run_recipe(tmp_path, "tiny-base", timeout=1700))
    made = sorted((tmp_path / "store" / "artifacts" / "pretrained").glob("*/data/*/model"))
    shipped = [BUILTIN_MODELS / "base", BUILTIN_MODELS / "student"]
    if sorted(map(str, map(_digests, made))) == sorted(map(str, map(_digests, shipped))):
        return
    for name in ("base", "student"):
        metrics = found[f"evaluate/{name}"]["metrics"]
        assert 0.15 <= metrics["sums/pass_at_1"] <= 0.40
        assert metrics["sums/cons_at_16"] >= metrics["sums/pass_at_1"] + 0.10
