"""Recipes of before 0.2 are refused with the names that hold now: every section and setting that a preset had."""

import tomllib
from pathlib import Path

import pytest

from r1flow.components.core.errors import ConfigError
from r1flow.components.recipe import renamed
from r1flow.components.recipe.presets import load_recipe, make_recipe

OLD = [
    "flow", "registered_name", "reflection_words", "base", "student", "prompt", "language", "data", "pretrain",
    "pretrain_student", "r1_zero", "cold_start", "grpo", "reject", "sft2", "grpo2", "distill", "student_rl", "gate", "ledger",
]  # fmt: skip
"""The tables and settings of recipes of before 0.2, but for those that are called as they were."""
SETTINGS = {
    "run.lanes=1": "run.lanes: now run.parallel_stages",
    "data.problems.sum=12": "data: now datasets.problems",
    "data.path=x.jsonl": "data: now datasets.problems",
    "data.against=x.jsonl": "data: now datasets.problems",
    "data.sources.math.uri=x.jsonl": "data: now datasets.problems",
    "cold_start.select.examples=2": "cold_start: now two stages: stages.chains, of kind select, and stages.dev1, of kind sft",
    "cold_start.sft.epochs=2": "stages.dev1, of kind sft",
    "grpo.steps=2": "grpo: now stages.dev2, of kind rl",
    "grpo.rewards.language=0": "grpo: now stages.dev2, of kind rl",
    "reject.general=2": "reject: now stages.teaching, of kind select; general data is its mix",
    "reject.select.min_language=1": "stages.teaching",
    "sft2.epochs=2": "sft2: now stages.dev3, of kind sft",
    "grpo2.mixture.sum=1": "grpo2: now stages.r1, of kind rl",
    "distill.epochs=2": "distill: now stages.distilled, of kind sft",
    "gate.suite=sums": "gate: now [promote.NAME], with model and suite",
    "registered_name=mine": "registered_name: now [promote.NAME]",
    "reflection_words=[]": "reflection_words: now models.base.language.reflection_words",
    "prompt.template=tiny": "prompt: now a setting of a model: models.base.prompt",
    "language.target=en": "language: now a setting of a model: models.base.language",
    "flow=r1": "flow: a recipe runs what its tables hold",
    "pretrain_student.steps=1": "pretrain_student: now a stage of kind pretrain: stages.student",
    "ledger.min_samples=1": "ledger: now parameters of the flow",
}  # fmt: skip
"""Ways to say `--set` before 0.2, and what they are answered."""


def test_every_old_section_has_a_line():
    table = tomllib.loads((Path(renamed.__file__).parent / "renamed.toml").read_text())["now"]
    assert set(table) == {*OLD, "run.lanes"}
    assert all(text for text in table.values())


@pytest.mark.parametrize("name", OLD)
def test_an_old_section_is_refused_with_its_new_name(name):
    with pytest.raises(ConfigError, match=rf"^{name}: (now|a recipe)"):
        make_recipe({"name": "mine", name: {"steps": 1}})
    with pytest.raises(ConfigError, match=rf"^{name}: (now|a recipe)"):
        make_recipe({"preset": "tiny", name: {"steps": 1}})


@pytest.mark.parametrize(("setting", "message"), SETTINGS.items())
def test_an_old_setting_is_refused_with_its_new_name(setting, message):
    with pytest.raises(ConfigError) as caught:
        load_recipe("tiny", [setting])
    assert message in str(caught.value)


def test_a_whole_old_recipe_gets_a_line_for_each(tmp_path):
    path = tmp_path / "old.toml"
    path.write_text(
        'preset = "mine"\nflow = "r1"\nregistered_name = "r1-mine"\n[run]\nlanes = 2\n[base]\nsource = "builtin:tiny-base"\n'
        '[data]\nsource = "tiny"\nproblems = { sum = 12 }\n[suites.sums]\nskill = "sum"\n[r1_zero]\nsteps = 2\n'
        '[gate]\nsuite = "sums"\n'
    )
    with pytest.raises(ConfigError) as caught:
        load_recipe(str(path))
    lines = [line.split(": ")[0] for line in str(caught.value).splitlines()]
    assert sorted(lines) == ["base", "data", "flow", "gate", "r1_zero", "registered_name", "run.lanes"]


def test_the_name_of_a_part_is_no_old_section():
    recipe = load_recipe("tiny", ["r1_zero.steps=3", "base.prompt.template=r1_zero", "student_rl.steps=2"])
    assert (recipe.stages["r1_zero"].steps, recipe.stages["student_rl"].steps) == (3, 2)
    assert load_recipe("tiny-base", ["base.steps=1"]).stages["base"].steps == 1


@pytest.mark.parametrize("name", ["grpo", "reject", "data"])
def test_a_part_may_have_an_old_name(name):
    stage = {"kind": "sft", "model": "base", "data": "general", "learning_rate": 1}
    made = make_recipe({"preset": "tiny", "stages": {name: stage}}, [(f"{name}.epochs", 7)])
    assert made.stages[name].epochs == 7
