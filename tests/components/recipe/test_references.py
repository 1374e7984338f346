"""Fields that name other parts: all are found, whatever they stand in, and no name is left where a fingerprint sees it."""

import json
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from r1flow.components.recipe.difficulty import DifficultyConfig
from r1flow.components.recipe.references import (
    Demonstrations,
    Model,
    Problems,
    Rates,
    Reference,
    Rollouts,
    due,
    named_in,
    with_roles,
)
from r1flow.components.recipe.section import Section
from r1flow.components.recipe.stages import Amount, RlStage, SelectStage, SftStage


class Judge(Section):
    model: Model
    weight: float = 1.0


class Everything(Section):
    """A reference in every place where one may stand."""

    title: str = ""
    model: Model
    source: Annotated[str, Reference(("rollouts", "demonstrations"))] = Field(alias="from")
    teachers: tuple[Model, ...] = ()
    mix: dict[Demonstrations, Amount] = Field(default_factory=dict)
    data: Demonstrations | tuple[Demonstrations, ...] | dict[Demonstrations, Amount] = "own"
    judge: Judge | None = None
    judges: dict[str, Judge] = Field(default_factory=dict)
    panel: list[Judge] = Field(default_factory=list)
    distilled: dict[Demonstrations, Model] = Field(default_factory=dict)
    either: Model | Rollouts | None = None
    rates: Rates = ""
    anything: Problems | Any = None


FULL = Everything.model_validate(
    {
        "title": "base",
        "model": "base",
        "from": "zero",
        "teachers": ["one", "two"],
        "mix": {"mine": {"rows": 2}, "more": {"share": 0.5}},
        "data": ["mine", "yours"],
        "judge": {"model": "reward"},
        "judges": {"style": {"model": "base", "weight": 0.5}},
        "panel": [{"model": "one"}, {"model": "reward"}],
        "distilled": {"mine": "two"},
        "either": "zero",
        "anything": "sums",
    }
)


def test_every_reference_is_found_in_the_order_of_the_fields_as_toml_has_them():
    assert [(named.field, named.name) for named in named_in(FULL)] == [
        ("model", "base"),
        ("from", "zero"),
        ("teachers", "one"),
        ("teachers", "two"),
        ("mix", "mine"),
        ("mix", "more"),
        ("data", "mine"),
        ("data", "yours"),
        ("judge.model", "reward"),
        ("judges.style.model", "base"),
        ("panel.model", "one"),
        ("panel.model", "reward"),
        ("distilled", "mine"),
        ("distilled.mine", "two"),
        ("either", "zero"),
        ("anything", "sums"),
    ]


def test_a_reference_says_what_it_takes_and_a_union_of_two_takes_either():
    gives = {named.field: named.reference.gives for named in named_in(FULL)}
    assert gives["model"] == ("model",)
    assert gives["from"] == ("rollouts", "demonstrations")
    assert gives["either"] == ("model", "rollouts")
    assert gives["distilled"] == ("demonstrations",)
    assert gives["distilled.mine"] == ("model",)


def test_roles_stand_where_names_stood_and_nothing_else_changes():
    config, roles = with_roles(FULL, exclude={"title"})
    assert config == {
        "model": "model",
        "from": "from",
        "teachers": ["teachers.0", "teachers.1"],
        "mix": {"mix.0": {"rows": 2, "share": None}, "mix.1": {"rows": None, "share": 0.5}},
        "data": ["data.0", "data.1"],
        "judge": {"model": "judge.model", "weight": 1.0},
        "judges": {"style": {"model": "judges.style.model", "weight": 0.5}},
        "panel": [{"model": "panel.0.model", "weight": 1.0}, {"model": "panel.1.model", "weight": 1.0}],
        "distilled": {"distilled.0": "distilled.0.value"},
        "either": "either",
        "rates": "",
        "anything": "anything",
    }
    assert roles["distilled.0"] == "mine"
    assert roles["distilled.0.value"] == "two"
    assert sorted(roles.values()) == sorted(named.name for named in named_in(FULL))


def test_settings_without_a_name_are_as_they_are_dumped():
    rated = DifficultyConfig(samples=4)
    assert with_roles(rated) == (rated.model_dump(mode="json"), {})


def test_what_a_field_may_name_is_known_before_it_is_set():
    assert due(RlStage, "model") == ("model",)
    assert due(SelectStage, "from") == due(SelectStage, "source") == ("rollouts", "demonstrations")
    assert due(SftStage, "data") == due(SelectStage, "mix") == ("demonstrations",)
    assert due(SftStage, "epochs") == due(SftStage, "nothing") == ()


def test_an_empty_name_is_no_name():
    with pytest.raises(ValidationError, match="at least 1 character"):
        SelectStage.model_validate({"from": "", "examples": 1})


NAMES = st.text("abcdefghijklmnopqrstuvwxyz_-0123456789", min_size=1, max_size=12)


@st.composite
def named_stages(draw):
    """An SFT stage in one of its three forms, and the same with other names."""
    num = draw(st.integers(1, 4))
    form = draw(st.sampled_from(["name", "names", "amounts"]))
    rows = draw(st.lists(st.integers(1, 99), min_size=num, max_size=num))

    def stage(names):
        model, *sets = names
        data = {"name": sets[0], "names": sets, "amounts": {s: {"rows": n} for s, n in zip(sets, rows, strict=True)}}
        return SftStage.model_validate({"model": model, "data": data[form], "learning_rate": 1e-3})

    distinct = st.lists(NAMES, min_size=num + 1, max_size=num + 1, unique=True)
    return stage(draw(distinct)), stage(draw(distinct))


@given(named_stages())
def test_equal_settings_with_other_names_are_equal(stages):
    (one, names), (other, other_names) = map(with_roles, stages)
    assert json.dumps(one) == json.dumps(other)
    assert list(names) == list(other_names)
    assert list(names.values()) == [named.name for named in named_in(stages[0])]


@given(st.lists(NAMES, min_size=5, max_size=5, unique=True))
def test_roles_and_configs_hold_no_persons_name(names):
    marked = [f"{name}~" for name in names]  # which no field's name has in it
    model, source, one, two, rates = marked
    stage = Everything.model_validate(
        {
            "model": model,
            "from": source,
            "mix": {one: {"rows": 1}},
            "data": {two: {"rows": 1}, one: {"rows": 2}},
            "distilled": {two: model},
            "rates": rates,
            "panel": [{"model": source}],
        }
    )
    config, roles = with_roles(stage, exclude={"title"})
    assert "~" not in json.dumps([config, list(roles)]).replace('"own"', "")
    assert set(roles.values()) == set(marked)
