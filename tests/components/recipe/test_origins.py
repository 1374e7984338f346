"""Which sources a recipe reads, and what is refused about them."""

from typing import Any

import pytest

from r1flow.components.core.errors import ConfigError
from r1flow.components.recipe.origins import (
    addresses,
    evaluation_origins,
    need_addresses,
    training_origins,
    with_addresses,
)
from r1flow.components.recipe.presets import load_recipe, make_recipe
from r1flow.components.recipe.recipe import Recipe


def recipe(**data: Any) -> Recipe:
    return make_recipe({"preset": "mine", "flow": "curate", "data": data})


def test_one_file_is_a_source_that_bears_its_name() -> None:
    found = load_recipe("gsm8k-curate", ["data.path=dir/train.jsonl", "data.against=test.jsonl"])
    assert found.data is not None
    (origin,) = training_origins(found.data)
    assert (origin.name, origin.setting, origin.source.columns.prompt) == ("train.jsonl", "data.path", "question")
    held_out = evaluation_origins(found.data, {})
    assert held_out["against"].name == "test.jsonl"
    assert held_out["against"].source.columns.answer_after == "####"


def test_every_suite_has_its_own_source_its_entry_or_the_common_file() -> None:
    suites = {"a": {"source": {"uri": "own.jsonl"}}, "b": {}}
    table = make_recipe(
        {
            "preset": "mine", "flow": "curate", "suites": suites,
            "data": {"path": "t.jsonl", "against": {"b": {"uri": "b.csv"}, "extra": {"uri": "x.csv"}}},
        }
    )  # fmt: skip
    assert table.data is not None
    found = evaluation_origins(table.data, table.suites)
    assert {name: (origin.source.uri, origin.setting) for name, origin in found.items()} == {
        "a": ("own.jsonl", "suites.a.source"), "b": ("b.csv", "data.against.b"), "extra": ("x.csv", "data.against.extra"),
    }  # fmt: skip
    common = make_recipe(
        {"preset": "mine", "flow": "curate", "suites": suites, "data": {"path": "t.jsonl", "against": "c.jsonl"}}
    )
    assert common.data is not None
    assert evaluation_origins(common.data, common.suites)["b"].source.uri == "c.jsonl"


def test_a_suite_without_problems_is_refused() -> None:
    lacking = make_recipe({"preset": "mine", "flow": "curate", "suites": {"a": {}}, "data": {"path": "t.jsonl"}})
    assert lacking.data is not None
    with pytest.raises(ConfigError, match=r"suites\.a: it has no problems; give data\.against"):
        evaluation_origins(lacking.data, lacking.suites)


def test_missing_addresses_are_named_all_at_once() -> None:
    found = load_recipe("curate-math", ["data.sources.math.uri=m.jsonl"])
    assert found.data is not None
    with pytest.raises(
        ConfigError, match=r"data\.sources\.aime\.uri, data\.sources\.gsm8k\.uri: (?s:.*)--set data\.sources\.aime"
    ):
        need_addresses(training_origins(found.data))


def test_addresses_are_taken_out_and_put_back() -> None:
    found = load_recipe("curate-math", ["data.sources.math.uri=m.jsonl", "suites.amc23.source.uri=s3://b/a.jsonl"])
    settings = found.model_dump(mode="json", include={"data", "suites"})
    places = dict(addresses(settings))
    assert places == {"data.sources.math.uri": "m.jsonl", "suites.amc23.source.uri": "s3://b/a.jsonl"}
    bare = with_addresses(settings, dict.fromkeys(places))
    assert dict(addresses(bare)) == {}
    assert with_addresses(bare, places) == settings


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"path": "a", "sources": {"s": {"uri": "b"}}}, "data.path and data.sources exclude each other"),
        ({"sources": {"s": {"uri": "b", "hub": "a/b", "revision": "0" * 40}}}, "data.sources.s: uri and hub exclude"),
        ({"sources": {"s": {"generator": "tiny/sum"}}}, "data.sources.s: generator needs size"),
        ({"sources": {"s": {"uri": "b", "config": {"a": 1}}}}, "data.sources.s: config is the name of a hub"),
        ({"sources": {"s": {"generator": "tiny/sum", "size": 1, "config": "x"}}}, "data.sources.s: config of a generator"),
        ({"sources": {"a.b": {"uri": "b"}}}, "data.sources.a.b"),
        ({"sources": {"s": {"uri": "b", "language": "?"}}}, "data.sources.s.language"),
        ({"sources": {"s": {"uri": "b", "weight": 1}, "t": {"uri": "c"}}}, "weights are given for some sources only; give t"),
        ({"sources": {"s": {"urii": "b"}}}, "data.sources.s.urii: unknown setting; did you mean uri"),
        ({"against": {"s": {"urii": "b"}}}, "data.against.s.urii: unknown setting; did you mean uri"),
        ({"against": {"s": {"uri": "b", "weight": 2}}}, "weight and rows have no meaning for evaluation problems: s"),
        ({"against": 3}, "data.against: "),
    ],
)  # fmt: skip
def test_settings_of_sources_that_make_no_sense_are_refused(data: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        recipe(**data)
