"""Settings over settings: tables merge, lists and mixtures do not, a part may be taken out or be of another kind."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from r1flow.components.core.errors import ConfigError
from r1flow.components.recipe.merging import PARTS, merge
from r1flow.components.recipe.presets import load_recipe, make_recipe


def test_tables_merge_and_both_sides_stay_as_they_were():
    below, above = {"a": {"x": 1, "y": 2}, "b": 3}, {"a": {"y": 5}, "c": [1]}
    assert merge(below, above) == {"a": {"x": 1, "y": 5}, "b": 3, "c": [1]}
    assert (below, above) == ({"a": {"x": 1, "y": 2}, "b": 3}, {"a": {"y": 5}, "c": [1]})
    assert merge({"a": {"x": 1}}, {"a": None}) == {"a": None}


def test_lists_and_mixtures_are_replaced():
    below = {
        "stages": {
            "s": {"kind": "rl", "mixture": {"sum": 1}, "data": {"a": {"rows": 1}}, "mix": {"b": {}}, "k": [1, 2]}
        }
    }
    above = {"stages": {"s": {"mixture": {"string": 1}, "data": {"c": {}}, "mix": {}, "k": [3]}}}
    assert merge(below, above) == {
        "stages": {"s": {"kind": "rl", "mixture": {"string": 1}, "data": {"c": {}}, "mix": {}, "k": [3]}}
    }  # fmt: skip


@pytest.mark.parametrize("name", ["data", "mix", "mixture"])
def test_a_part_that_is_called_as_a_mixture_is_merged_as_any_other(name):
    for table in PARTS:
        assert merge({table: {name: {"a": 1}}}, {table: {name: {"b": 2}}}) == {table: {name: {"a": 1, "b": 2}}}


@pytest.mark.parametrize("table", PARTS)
def test_false_takes_a_part_out(table):
    assert merge({table: {"x": {"a": 1}, "y": {}}}, {table: {"x": False}}) == {table: {"y": {}}}
    assert merge({}, {table: {"x": {"shuffled": False}}}) == {table: {"x": {"shuffled": False}}}
    assert merge({table: {"x": {"a": True}}}, {table: {"x": {"a": False}}}) == {table: {"x": {"a": False}}}


def test_another_kind_replaces_a_stage_or_a_dataset_whole():
    below = {"stages": {"s": {"kind": "rl", "steps": 3}}, "datasets": {"d": {"sources": {"a": {}}}}}
    assert merge(below, {"stages": {"s": {"kind": "sft"}}})["stages"] == {"s": {"kind": "sft"}}
    assert merge(below, {"stages": {"s": {"kind": "rl", "x": 1}}})["stages"] == {
        "s": {"kind": "rl", "steps": 3, "x": 1}
    }
    other = {"datasets": {"d": {"kind": "demonstrations", "sources": {"b": {}}}}}
    assert merge(below, other)["datasets"] == other["datasets"]  # without a kind it is one of problems
    same = merge(below, {"datasets": {"d": {"kind": "problems"}}})
    assert same["datasets"] == {"d": {"kind": "problems", "sources": {"a": {}}}}


def test_the_kind_of_an_engine_replaces_nothing_but_itself():
    below = {"run": {"engine": {"kind": "deepspeed", "dtype": "bfloat16"}}}
    assert merge(below, {"run": {"engine": {"kind": "single"}}}) == {
        "run": {"engine": {"kind": "single", "dtype": "bfloat16"}}
    }


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
TREES = st.dictionaries(
    st.sampled_from("abcd"),
    st.recursive(
        SCALARS,
        lambda t: st.lists(t, max_size=2) | st.dictionaries(st.sampled_from("abcd"), t, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


@given(TREES, TREES)
def test_what_is_above_holds_and_what_it_does_not_say_stays(below, above):
    before = copy.deepcopy((below, above))
    merged = merge(below, above)
    assert (below, above) == before
    assert merge(merged, above) == merged
    assert merge(below, {}) == below
    assert merge({}, above) == above
    for key in merged:
        if key not in above:
            assert merged[key] == below[key]
        elif key not in below or not isinstance(below[key], dict):
            assert merged[key] == above[key]


def test_a_recipe_over_a_preset_takes_out_replaces_and_adds():
    changed = make_recipe(
        {
            "preset": "tiny",
            "seed": 1,
            "stages": {
                "student_rl": False,
                "dev2": {"steps": 3, "mixture": {"string": 1.0}},
                "distilled": {
                    "kind": "rl",
                    "model": "student",
                    "data": "problems",
                    "steps": 2,
                    "learning_rate": 1,
                    "max_tokens": 9,
                },
            },
        }
    )
    plain = load_recipe("tiny")
    assert changed.seed == 1
    assert list(changed.stages) == [name for name in plain.stages if name != "student_rl"]
    assert changed.stages["dev2"] == plain.stages["dev2"].model_copy(update={"steps": 3, "mixture": {"string": 1.0}})
    assert changed.stages["distilled"].kind == "rl"
    assert changed.stages["dev3"] == plain.stages["dev3"]


def test_a_part_may_be_taken_out_for_one_run():
    assert "student_rl" not in load_recipe("tiny", ["student_rl=false"]).graph.nodes
    assert "student_rl" not in load_recipe("tiny", ["stages.student_rl=false"]).stages
    assert not load_recipe("tiny", ["promote.r1-tiny=false"]).promote
    with pytest.raises(ConfigError, match=r"stages\.chains\.from: nothing is called 'r1_zero'"):
        load_recipe("tiny", ["r1_zero=false"])


def test_a_preset_may_fill_a_preset(monkeypatch, tmp_path):
    from r1flow.components.recipe import presets

    for name in ("tiny", "smoke"):
        (tmp_path / f"{name}.toml").write_text((presets.PRESETS / f"{name}.toml").read_text())
    monkeypatch.setattr(presets, "PRESETS", tmp_path)
    (tmp_path / "short.toml").write_text('name = "short"\npreset = "tiny"\n[stages.dev2]\nsteps = 5\nmax_tokens = 30\n')
    found = load_recipe("short", ["dev2.steps=6"])
    assert (found.name, found.stages["dev2"].steps, found.stages["dev2"].max_tokens) == ("short", 6, 30)
    assert found.stages["r1"] == load_recipe("tiny").stages["r1"]
    mine = make_recipe({"preset": "short", "name": "mine", "stages": {"dev2": {"max_tokens": 20}}})
    assert (mine.name, mine.stages["dev2"].steps, mine.stages["dev2"].max_tokens) == ("mine", 5, 20)
    (tmp_path / "one.toml").write_text('name = "one"\npreset = "other"\n')
    (tmp_path / "other.toml").write_text('name = "other"\npreset = "one"\n')
    with pytest.raises(ConfigError, match="preset: other -> one -> other is a cycle; a preset cannot fill itself"):
        load_recipe("one")
    (tmp_path / "self.toml").write_text('name = "self"\npreset = "self"\n')
    with pytest.raises(ConfigError, match="preset: self -> self is a cycle"):
        load_recipe("self")


def test_a_recipe_may_be_called_as_its_preset():
    assert make_recipe({"preset": "tiny", "name": "tiny"}).stages == load_recipe("tiny").stages
