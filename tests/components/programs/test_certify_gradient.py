"""The certificate before RL: every stage's objective on the recipe's engine; a gradient past the limit is refused."""

import json

import pytest
import torch

from r1flow.components.core.errors import NumericsError
from r1flow.components.programs import certify_gradient
from r1flow.components.recipe.engine import EngineConfig
from r1flow.components.recipe.grpo import GrpoConfig
from r1flow.components.recipe.presets import load_recipe
from r1flow.tasks.declare import declare
from r1flow.tasks.place import Place


def objective_of(recipe, stage):
    """The settings of the stage's proof."""
    return declare(recipe, recipe.graph.nodes[f"{stage}/gradient"], {}, Place("cpu")).config


def spec_of(recipe, stage, place):
    """The spec that the proof hands to its program, with directories of the test's own."""
    config = objective_of(recipe, stage)
    places = {name: str(place / name) for name in ("out", "work", "store")}
    run = {"device": "cpu", "engine": recipe.run.engine.model_dump(mode="json")}
    return {"stage": f"{stage}/gradient", "seed": 0, "config": dict(config), "run": run, "checkpoints": "c", **places}


def test_every_rl_stage_of_a_recipe_has_its_proof():
    nodes = load_recipe("smoke").graph.nodes
    stages = {"r1_zero", "dev2", "r1", "student_rl"}
    assert {name for name in nodes if name.endswith("/gradient")} == {f"{stage}/gradient" for stage in stages}
    assert all(f"{stage}/gradient" in nodes[stage].after for stage in stages)


def test_a_stage_is_certified(tmp_path):
    found = certify_gradient.main(spec_of(load_recipe("smoke"), "dev2", tmp_path))
    assert 0 < found["error"] <= found["limit"] == 1e-5
    assert json.loads((tmp_path / "out" / "gradient.json").read_text()) == found


def test_a_gradient_past_the_limit_stops_the_stage_and_names_it(tmp_path, monkeypatch):
    monkeypatch.setattr(certify_gradient, "GRADIENT", 1e-12)
    with pytest.raises(
        NumericsError,
        match=r"dev2/gradient: the gradient on engine single is not the batch's: relative error .*, limit 1e-12; no model",
    ):
        certify_gradient.main(spec_of(load_recipe("smoke"), "dev2", tmp_path))
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
    plain = objective_of(load_recipe("smoke"), "dev2")
    assert objective_of(load_recipe("smoke", ["dev2.learning_rate=0.5", "dev2.steps=7"]), "dev2") == plain
    assert objective_of(load_recipe("smoke", ["dev2.kl_weight=0.5"]), "dev2") != plain


def test_stages_of_one_objective_share_one_proof():
    recipe = load_recipe("smoke", ["student_rl.learning_rate=0.5"])
    assert objective_of(recipe, "student_rl") == objective_of(recipe, "r1_zero") != objective_of(recipe, "dev2")
