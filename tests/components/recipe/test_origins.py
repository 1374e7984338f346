"""Which sources a recipe reads, and what is refused about them."""

from typing import Any

import pytest

from r1flow.components.core.errors import ConfigError
from r1flow.components.recipe.data import DatasetConfig
from r1flow.components.recipe.origins import (
    addresses,
    dataset_origins,
    need_addresses,
    shown,
    suite_origins,
    with_addresses,
)
from r1flow.components.recipe.presets import load_recipe, make_recipe
from r1flow.components.recipe.recipe import Recipe


def recipe(**dataset: Any) -> Recipe:
    return make_recipe({"name": "mine", "datasets": {"problems": dataset}})


def test_the_sources_of_a_dataset_stand_in_their_order_under_its_own_settings() -> None:
    origins = dataset_origins(load_recipe("curate-math").datasets["problems"])
    assert [(o.name, o.setting) for o in origins] == [
        ("aime", "dataset.sources.aime"), ("math", "dataset.sources.math"), ("gsm8k", "dataset.sources.gsm8k"),
    ]  # fmt: skip
    assert origins[2].source.columns.answer_after == "####"


def test_every_suite_has_its_own_source() -> None:
    table = {"a": {"source": {"uri": "own.jsonl"}}, "b": {"known": "tiny-sums"}}
    found = suite_origins(make_recipe({"name": "mine", "suites": table}).suites)
    assert [(o.name, o.setting, o.source.uri, o.source.generator) for o in found] == [
        ("a", "suites.a.source", "own.jsonl", None), ("b", "suites.b.source", None, "tiny/sum"),
    ]  # fmt: skip


def test_a_dataset_reads_the_same_under_any_name() -> None:
    one = DatasetConfig.model_validate({"sources": {"s": {"uri": "x.jsonl"}}})
    assert dict(addresses({"dataset": one.model_dump(mode="json")})) == {"dataset.sources.s.uri": "x.jsonl"}
    assert shown("dataset.sources.s.uri", "mine") == "mine.sources.s.uri"


def test_missing_addresses_are_named_all_at_once() -> None:
    found = load_recipe("curate-math", ["problems.sources.math.uri=m.jsonl"])
    with pytest.raises(ConfigError) as caught:
        need_addresses(dataset_origins(found.datasets["problems"]), "problems")
    assert str(caught.value) == (
        "problems.sources.aime.uri, problems.sources.gsm8k.uri: a path or URI is needed; give it with "
        "--set problems.sources.aime.uri=FILE --set problems.sources.gsm8k.uri=FILE"
    )
    with pytest.raises(
        ConfigError, match=r"^suites\.gsm8k\.source\.uri, .*--set suites\.olympiadbench\.source\.uri=FILE"
    ):
        need_addresses(suite_origins(found.suites), "suites")


def test_what_is_asked_for_can_be_set() -> None:
    sets = [f"problems.sources.{name}.uri=x" for name in ("aime", "math", "gsm8k")]
    sets += [f"suites.{name}.source.uri=x" for name in ("gsm8k", "math500", "aime24", "amc23", "olympiadbench")]
    found = load_recipe("curate-math", sets)
    need_addresses(dataset_origins(found.datasets["problems"]), "problems")
    need_addresses(suite_origins(found.suites), "suites")


def test_addresses_are_taken_out_and_put_back() -> None:
    found = load_recipe("curate-math", ["problems.sources.math.uri=m.jsonl", "suites.amc23.source.uri=s3://b/a.jsonl"])
    settings = {
        "dataset": found.datasets["problems"].model_dump(mode="json"),
        "suites": {name: suite.model_dump(mode="json") for name, suite in found.suites.items()},
    }
    places = dict(addresses(settings))
    assert places == {"dataset.sources.math.uri": "m.jsonl", "suites.amc23.source.uri": "s3://b/a.jsonl"}
    bare = with_addresses(settings, dict.fromkeys(places))
    assert dict(addresses(bare)) == {}
    assert with_addresses(bare, places) == settings


def test_a_key_inside_a_generators_settings_is_no_address() -> None:
    source = {
        "generator": "reasoning-gym/x",
        "size": 2,
        "config": {"uri": "not this"},
        "verifier_args": {"uri": "nor this"},
    }
    found = recipe(sources={"columns": source}).datasets["problems"].model_dump(mode="json")
    assert dict(addresses({"dataset": found})) == {}
    named = recipe(sources={"columns": {"uri": "this"}}).datasets["problems"].model_dump(mode="json")
    assert dict(addresses({"dataset": named})) == {"dataset.sources.columns.uri": "this"}


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ({}, "datasets.problems: a dataset needs sources, such as sources.mine"),
        (
            {"sources": {"s": {"uri": "b", "hub": "a/b", "revision": "0" * 40}}},
            "datasets.problems.sources.s: uri and hub exclude",
        ),
        ({"sources": {"s": {"hub": "a/b"}}}, "datasets.problems.sources.s: hub needs revision"),
        ({"sources": {"s": {"generator": "tiny/sum"}}}, "datasets.problems.sources.s: generator needs size"),
        ({"sources": {"s": {"uri": "b", "config": {"a": 1}}}}, "sources.s: config is the name of a hub"),
        ({"sources": {"s": {"generator": "tiny/sum", "size": 1, "config": "x"}}}, "sources.s: config of a generator"),
        ({"sources": {"a.b": {"uri": "b"}}}, "datasets.problems.sources.a.b"),
        ({"sources": {"s": {"uri": "b", "language": "?"}}}, "datasets.problems.sources.s.language"),
        (
            {"sources": {"s": {"uri": "b", "weight": 1}, "t": {"uri": "c"}}},
            "weights are given for some sources only; give t",
        ),
        ({"sources": {"s": {"urii": "b"}}}, "datasets.problems.sources.s.urii: unknown setting; did you mean uri"),
        (
            {"sources": {"s": {"uri": "b", "verifier": "none"}}},
            "datasets.problems.sources.s.verifier: input should be 'exact', 'math'",
        ),
        (
            {"kind": "preferences", "sources": {"s": {"uri": "b"}}},
            "datasets.problems.kind: input should be 'problems' or",
        ),
        ({"path": "x.jsonl"}, "datasets.problems.path: unknown setting"),
        ({"against": "x.jsonl", "sources": {"s": {"uri": "b"}}}, "datasets.problems.against: unknown setting"),
    ],
)
def test_settings_of_sources_that_make_no_sense_are_refused(dataset: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        recipe(**dataset)
    assert message in str(caught.value)
