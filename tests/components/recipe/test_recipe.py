"""A recipe is whole, frozen, light to import, and survives the trip through a server as JSON."""

import json
import subprocess
import sys

import pytest
from pydantic import ValidationError

from r1flow.components.core.errors import ConfigError
from r1flow.components.recipe.presets import load_recipe, make_recipe, preset_names
from r1flow.components.recipe.recipe import Recipe
from tests.runs import ROOT

HEAVY = ("torch", "mlflow", "prefect", "transformers", "s3fs", "pandas", "matplotlib", "pyarrow", "numpy")


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_loads_and_names_itself(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.description


@pytest.mark.parametrize("name", preset_names())
def test_the_name_of_a_preset_is_a_whole_recipe(name):
    assert make_recipe({"preset": name}) == load_recipe(name).model_copy(update={"preset": name})


@pytest.mark.parametrize("name", preset_names())
def test_a_recipe_survives_json_unchanged(name):
    recipe = load_recipe(name, ["seed=7"])
    assert Recipe.model_validate(json.loads(recipe.model_dump_json())) == recipe
    assert Recipe.model_validate(recipe.model_dump(mode="json", exclude_none=True)) == recipe


def test_what_is_given_goes_over_the_preset_section_by_section():
    recipe = make_recipe({"preset": "tiny", "seed": 1, "stages": {"dev2": {"steps": 3}, "distilled": False}})
    plain = load_recipe("tiny")
    assert (recipe.seed, recipe.stages["dev2"].steps, recipe.stages.get("distilled")) == (1, 3, None)
    assert recipe.stages["dev2"] == plain.stages["dev2"].model_copy(update={"steps": 3})
    assert recipe.stages["dev3"] == plain.stages["dev3"]


def test_nothing_changes_after_reading():
    recipe = load_recipe("tiny")
    for change in (lambda: setattr(recipe, "seed", 1), lambda: setattr(recipe.stages["dev2"], "steps", 1)):
        with pytest.raises(ValidationError, match="frozen"):
            change()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"models": {"student": False}}, "^stages.distilled.model: nothing is called 'student'"),
        ({"datasets": {"general": False}}, "^stages.teaching.mix: nothing is called 'general'; did you mean|there are"),
        ({"suites": {"sums": False}}, "^promote.r1-tiny.suite: no model is evaluated on 'sums'; there are strings"),
        (
            {"datasets": {"problems": {"sources": {"sum": {"uri": "x.jsonl"}}}}},
            "sources.sum: uri and generator exclude each other",
        ),
        (
            {"stages": {"r1_zero": {"mini_batches": 513}}},
            r"r1_zero: mini_batches \(513\) is more than the completions of one step",
        ),
        (
            {"stages": {"dev2": {"reference_every": 5}}},
            "dev2: reference_every refreshes a reference that kl_weight = 0 never uses",
        ),
        ({"stages": {"dev2": {"mixture": {"sum": 0}}}}, "dev2: mixture needs one skill with a weight above 0"),
        ({"stages": {"dev2": {"rewards": {"accuracy": 0}}}}, "dev2.rewards: accuracy must have a weight"),
        ({"stages": {"chains": {"min_tokens": 9, "max_tokens": 8}}}, "chains: max_tokens .8. is below min_tokens .9."),
        ({"promote": {"a/b": {"model": "r1", "suite": "sums"}}}, "^promote.a/b: "),
    ],
)
def test_settings_that_exclude_each_other_are_refused(changed, message):
    with pytest.raises(ConfigError, match=message):
        make_recipe({"preset": "tiny"} | changed)


def test_a_recipe_needs_a_name_and_nothing_else():
    with pytest.raises(ConfigError, match="name: field required"):
        make_recipe({"seed": 1})
    assert not make_recipe({"name": "nothing"}).graph.nodes


def test_its_form_can_be_drawn():
    schema = Recipe.model_json_schema()
    assert {"preset", "seed", "models", "datasets", "stages", "suites", "promote"} <= set(schema["properties"])
    assert [name for name, part in {"Recipe": schema, **schema["$defs"]}.items() if "required" in part] == []
    assert schema["$defs"]["RlStage"]["properties"]["kl_weight"]["description"].startswith("beta of the KL term")
    assert set(schema["$defs"]["SelectStage"]["properties"]) >= {"from", "mix", "examples"}


def test_configuration_imports_nothing_heavy():
    code = (
        "import sys, r1flow.components.recipe.presets, r1flow.components.recipe.recipe, r1flow.components.recipe.stages\n"
        "import r1flow.components.recipe.settings as s, r1flow.components.recipe.presets as p\n"
        "p.load_recipe('tiny'); s.Settings()\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stderr
