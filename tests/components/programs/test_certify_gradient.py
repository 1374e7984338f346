"""The certificate before RL: every stage's objective on the recipe's engine; a gradient past the limit is refused."""

import json

import pytest
import torch

from r1flow.components.core.errors import NumericsError
from r1flow.components.programs import certify_gradient
from r1flow.components.recipe.engine import EngineConfig
from r1flow.components.recipe.grpo import GrpoConfig
from r1flow.components.recipe.presets import load_recipe
from r1flow.tasks.certify import certify_gradient as stage


def spec_of(recipe, place):
    """The spec that the stage hands to its program, with directories of the test's own."""
    config = stage.fn.__wrapped__(recipe).config
    places = {name: str(place / name) for name in ("out", "work", "store")}
    run = {"device": "cpu", "engine": recipe.run.engine.model_dump(mode="json")}
    return {"stage": "certify/gradient", "seed": 0, "config": dict(config), "run": run, "checkpoints": "c", **places}


def test_every_rl_stage_of_a_recipe_is_certified(tmp_path):
    errors = certify_gradient.main(spec_of(load_recipe("smoke"), tmp_path))
    assert set(errors) == {"r1_zero", "grpo", "grpo2", "student_rl"}
    assert 0 < max(errors.values()) <= 1e-5
    assert json.loads((tmp_path / "out" / "gradient.json").read_text()) == {"limit": 1e-5, "errors": errors}


def test_a_gradient_past_the_limit_stops_the_run_and_names_the_stages(tmp_path, monkeypatch):
    monkeypatch.setattr(certify_gradient, "GRADIENT", 1e-12)
    with pytest.raises(
        NumericsError,
        match=r"the gradient of r1_zero, grpo, grpo2, student_rl on engine single .* error .*, limit 1e-12; no model",
    ):
        certify_gradient.main(spec_of(load_recipe("smoke"), tmp_path))
    assert not (tmp_path / "out").exists()


def test_stages_with_equal_objectives_share_one_measurement():
    torch.set_num_threads(1)
    base = {"steps": 1, "learning_rate": 1.0, "max_tokens": 8}
    stages = {
        "one": GrpoConfig(**base),
        "same": GrpoConfig(**base | {"steps": 9, "learning_rate": 0.1, "max_tokens": 8}),
        "other": GrpoConfig(**base, algorithm="dapo", mini_batches=2, micro_tokens=50),
    }
    found = certify_gradient.measure(stages, EngineConfig(), torch.device("cpu"))
    assert found["one"] == found["same"] != found["other"]
    assert max(found.values()) <= 1e-5


def test_what_decides_no_gradient_is_not_in_the_certificates_fingerprint():
    recipe = load_recipe("smoke", ["grpo.learning_rate=0.5", "grpo.steps=7"])
    assert stage.fn.__wrapped__(recipe).config == stage.fn.__wrapped__(load_recipe("smoke")).config
    other = load_recipe("smoke", ["grpo.kl_weight=0.5"])
    assert stage.fn.__wrapped__(other).config != stage.fn.__wrapped__(recipe).config
