"""A recipe is whole, frozen, light to import, and survives the trip through a server as JSON."""

import json
import subprocess
import sys

import pytest
from pydantic import ValidationError

from r1flow.components.core.errors import ConfigError
from r1flow.components.recipe.merging import merge
from r1flow.components.recipe.presets import load_recipe, make_recipe
from r1flow.components.recipe.recipe import Recipe, preset_names
from tests.runs import ROOT

HEAVY = ("torch", "mlflow", "prefect", "transformers", "s3fs", "pandas", "matplotlib", "pyarrow", "numpy")


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_loads_and_names_itself(name):
    recipe = load_recipe(name)
    assert recipe.preset == name
    assert recipe.description


@pytest.mark.parametrize("name", preset_names())
def test_the_name_of_a_preset_is_a_whole_recipe(name):
    assert Recipe.model_validate({"preset": name}) == load_recipe(name)


@pytest.mark.parametrize("name", preset_names())
def test_a_recipe_survives_json_unchanged(name):
    recipe = load_recipe(name, ["seed=7"])
    assert Recipe.model_validate(json.loads(recipe.model_dump_json())) == recipe
    assert Recipe.model_validate(recipe.model_dump(mode="json", exclude_none=True)) == recipe


def test_what_is_given_goes_over_the_preset_section_by_section():
    recipe = Recipe.model_validate({"preset": "tiny", "seed": 1, "grpo": {"steps": 3}, "distill": None})
    plain = load_recipe("tiny")
    assert (recipe.seed, recipe.grpo.steps, recipe.distill) == (1, 3, None)
    assert recipe.grpo == plain.grpo.model_copy(update={"steps": 3})
    assert recipe.sft2 == plain.sft2


def test_merging_leaves_both_sides_as_they_were():
    below, above = {"a": {"x": 1, "y": 2}, "b": 3}, {"a": {"y": 5}, "c": [1]}
    assert merge(below, above) == {"a": {"x": 1, "y": 5}, "b": 3, "c": [1]}
    assert (below, above) == ({"a": {"x": 1, "y": 2}, "b": 3}, {"a": {"y": 5}, "c": [1]})
    assert merge({"a": {"x": 1}}, {"a": None}) == {"a": None}


def test_nothing_changes_after_reading():
    recipe = load_recipe("tiny")
    for change in (lambda: setattr(recipe, "seed", 1), lambda: setattr(recipe.grpo, "steps", 1)):
        with pytest.raises(ValidationError, match="frozen"):
            change()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"gate": None}, "recipe: flow 'r1' needs gate"),
        ({"suites": {}, "preset": "mine"}, "needs base, data, suites"),
        ({"student": None}, "recipe: distill needs a student"),
        ({"student": None, "distill": None}, "recipe: student_rl needs a student"),
        ({"gate": {"suite": "sum"}}, "recipe: gate.suite 'sum' is not one of suites: sums, strings"),
        ({"data": {"problems": None}}, "data.problems: "),
        ({"data": {"path": "x.jsonl"}}, "data: data.path has no meaning with source 'tiny'"),
        ({"r1_zero": {"mini_batches": 513}}, r"r1_zero: mini_batches \(513\) is more than the completions of one step"),
        ({"grpo": {"reference_every": 5}}, "grpo: reference_every refreshes a reference that kl_weight = 0 never uses"),
        ({"grpo": {"mixture": {"sum": 0}}}, "grpo: mixture needs one skill with a weight above 0"),
        ({"grpo": {"rewards": {"accuracy": 0}}}, "grpo.rewards: accuracy must have a weight"),
    ],
)
def test_settings_that_exclude_each_other_are_refused(changed, message):
    with pytest.raises(ConfigError, match=message):
        make_recipe({"preset": "tiny"} | changed)


def test_a_recipe_needs_a_preset_name():
    with pytest.raises(ConfigError, match="preset: field required"):
        make_recipe({"seed": 1})
    with pytest.raises(ConfigError, match=r"recipe: input should be"):
        make_recipe([1])


def test_its_form_can_be_drawn():
    schema = Recipe.model_json_schema()
    assert {"preset", "seed", "grpo", "suites"} <= set(schema["properties"])
    assert [name for name, part in {"Recipe": schema, **schema["$defs"]}.items() if "required" in part] == ["Recipe"]
    assert schema["required"] == ["preset"]
    assert schema["$defs"]["GrpoConfig"]["properties"]["kl_weight"]["description"].startswith("beta of the KL term")


def test_configuration_imports_nothing_heavy():
    code = (
        "import sys, r1flow.components.recipe.presets, r1flow.components.recipe.recipe, r1flow.components.recipe.stages\n"
        "import r1flow.components.recipe.settings as s, r1flow.components.recipe.presets as p\n"
        "p.load_recipe('tiny'); s.Settings()\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stderr
