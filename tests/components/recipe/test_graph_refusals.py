"""What is no graph, in one line each: stage, field, and the nearest right name."""

import pytest

from r1flow.components.core.errors import ConfigError
from r1flow.components.recipe.graph import RESERVED
from r1flow.components.recipe.settings import Settings
from tests.fakes.recipes import RL, SELECT, SFT, SUMS, small

REFUSALS = {
    "an unknown name": (
        {"zero": RL | {"model": "bass"}},
        {},
        "stages.zero.model: nothing is called 'bass'; did you mean base?",
    ),
    "nothing near": (
        {"dev": SFT | {"model": "qwen"}},
        {},
        "stages.dev.model: nothing is called 'qwen'; there are base, dev",
    ),
    "an unknown set in a list": (
        {"dev": SFT | {"data": ["traces", "trace"]}},
        {},
        "stages.dev.data: nothing is called 'trace'; did you mean traces?",
    ),
    "an unknown set in a mixture": (
        {"dev": SFT | {"data": {"trace": {"rows": 1}}}},
        {},
        "stages.dev.data: nothing is called 'trace'; did you mean traces?",
    ),
    "an unknown policy": (
        {"zero": RL, "good": SELECT | {"from": "zeros"}},
        {},
        "stages.good.from: nothing is called 'zeros'; did you mean zero?",
    ),
    "an unknown set in a mix": (
        {"zero": RL, "good": SELECT | {"mix": {"x": {"rows": 1}}}},
        {},
        "stages.good.mix: nothing is called 'x'; there are traces, good",
    ),
    "a dataset where a model is due": (
        {"zero": RL | {"model": "problems"}},
        {},
        "stages.zero.model: 'problems' gives problems, and model is due; there are base, zero",
    ),
    "a model where problems are due": (
        {"zero": RL | {"data": "base"}},
        {},
        "stages.zero.data: 'base' gives model, and problems is due; there are problems",
    ),
    "problems where demonstrations are due": (
        {"dev": SFT | {"data": "problems"}},
        {},
        "stages.dev.data: 'problems' gives problems, and demonstrations is due; there are traces",
    ),
    "a model that was never sampled": (
        {"dev": SFT, "good": SELECT | {"from": "dev"}},
        {},
        "stages.good.from: 'dev' gives model, and rollouts or demonstrations is due; there are traces, good",
    ),
    "no pass rates": (
        {"zero": RL | {"difficulty": {"rates": "problems"}}},
        {},
        "stages.zero.difficulty.rates: 'problems' gives problems, and rates is due; this recipe has no rates",
    ),
    "a stage without a model": (
        {"zero": {k: v for k, v in RL.items() if k != "model"}},
        {},
        "stages.zero.model: field required; there are base",
    ),
    "a stage without data": (
        {"dev": {k: v for k, v in SFT.items() if k != "data"}},
        {},
        "stages.dev.data: field required; there are traces",
    ),
    "a selection of nothing": (
        {"zero": RL, "good": {"kind": "select", "examples": 1}},
        {},
        "stages.good.from: field required; there are traces, zero",
    ),
    "a recipe without a model": (
        {"zero": {k: v for k, v in RL.items() if k != "model"}},
        {"models": {}},
        "stages.zero.model: field required; this recipe has no model",
    ),
    "a promotion of nothing": (
        {"zero": RL},
        {"promote": {"mine": {"suite": "sums"}}},
        "promote.mine.model: field required; there are base, zero",
    ),
    "a stage of itself": (
        {"dev": SFT | {"model": "dev"}},
        {},
        "stages.dev: dev -> dev is a cycle; no stage can come first",
    ),
    "a cycle": (
        {"a": SFT | {"model": "b"}, "b": SFT | {"model": "c"}, "c": SFT | {"model": "a"}},
        {},
        "stages.a: a -> b -> c -> a is a cycle; no stage can come first",
    ),
    "a stage behind a cycle": (
        {"z": SFT | {"model": "a"}, "a": SFT | {"model": "b"}, "b": SFT | {"model": "a"}},
        {},
        "stages.z: a -> b -> a is a cycle",
    ),
    "a stage that is called as a model": (
        {"base": RL},
        {},
        "stages.base: models.base has that name already; call one of the two otherwise",
    ),
    "a stage that is called as a dataset": (
        {"traces": SFT},
        {},
        "stages.traces: datasets.traces has that name already",
    ),
    "a reserved name": ({"suites": RL}, {}, "stages.suites: the name is reserved; call it otherwise"),
    "a name that --set takes": ({"run": RL}, {}, "stages.run: the name is reserved"),
    "a name with a slash": ({"a/b": RL}, {}, "stages.a/b: string should match pattern"),
    "a promoted model that there is not": (
        {"zero": RL},
        {"promote": {"mine": {"model": "zeros", "suite": "sums"}}},
        "promote.mine.model: nothing is called 'zeros'; did you mean zero?",
    ),
    "a promoted dataset": (
        {},
        {"promote": {"mine": {"model": "traces", "suite": "sums"}}},
        "promote.mine.model: 'traces' gives demonstrations, and model is due; there are base",
    ),
    "a promoted model that is not measured": (
        {"zero": RL},
        {"promote": {"mine": {"model": "zero", "suite": "sums"}}, "evaluate": {"models": ["base"]}},
        "promote.mine.model: zero is not evaluated; add it to evaluate.models",
    ),
    "a suite that there is not": (
        {"zero": RL},
        {"promote": {"mine": {"model": "zero", "suite": "sum"}}},
        "promote.mine.suite: no model is evaluated on 'sum'; did you mean sums?",
    ),
    "a suite that is not measured": (
        {"zero": RL},
        {"promote": {"mine": {"model": "zero", "suite": "sums"}}, "evaluate": {"suites": []}},
        "promote.mine.suite: no model is evaluated on 'sums'; this recipe has no suite that is evaluated",
    ),
    "an unknown suite": (
        {},
        {"evaluate": {"suites": ["sum"]}},
        "evaluate.suites: no suite is called 'sum'; did you mean sums?",
    ),
    "an unknown model to measure": (
        {},
        {"evaluate": {"models": ["bass"]}},
        "evaluate.models: nothing is called 'bass'; did you mean base?",
    ),
    "no kind": (
        {"zero": {"model": "base"}},
        {},
        "stages.zero.kind: field required; there are pretrain, sft, rl, select, rate",
    ),
    "an unknown kind": (
        {"zero": RL | {"kind": "grpo"}},
        {},
        "stages.zero.kind: no kind is called 'grpo'; there are pretrain, sft, rl, select, rate, and your own as module:Class",
    ),
    "a kind that is misspelt": (
        {"good": SELECT | {"kind": "selct"}},
        {},
        "stages.good.kind: no kind is called 'selct'; did you mean select?",
    ),
    "no stage at all": ({"zero": 3}, {}, "stages.zero: a stage is a table with its kind"),
    "a setting of another kind": (
        {"dev": SFT | {"steps": 3}},
        {},
        "stages.dev.steps: unknown setting; known here: batch_size, checkpoint_every",
    ),
    "data that is neither": (
        {"dev": SFT | {"data": 3}},
        {},
        "stages.dev.data: give a name, a list of names, or a table of names with amounts (got 3)",
    ),
    "no amount": ({"dev": SFT | {"data": {"traces": {}}}}, {}, "stages.dev.data.traces: give rows, a number, or share"),
    "too large shares": (
        {"dev": SFT | {"data": {"traces": {"share": 0.9}, "dev": {"share": 0.2}}}},
        {},
        "stages.dev: the shares of data are more than the whole",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_is_no_graph_is_refused_in_one_line_with_stage_field_and_the_nearest_name(case):
    stages, tables, message = REFUSALS[case]
    with pytest.raises(ConfigError) as caught:
        small(stages, **tables)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("table", ["models", "datasets", "stages"])
@pytest.mark.parametrize("name", sorted(RESERVED))
def test_a_name_that_something_else_has_is_refused_in_every_table(table, name):
    part = {"models": {"source": "x"}, "datasets": {"sources": {"a": SUMS}}, "stages": SFT}[table]
    kept = small().model_dump(mode="json")[table]
    with pytest.raises(ConfigError, match=rf"^{table}\.{name}: the name is reserved"):
        small(**({"stages": {name: part}} if table == "stages" else {table: kept | {name: part}}))


def test_settings_of_this_machine_are_reserved_names():
    assert set(Settings.model_fields) <= RESERVED
    assert set(type(small()).model_fields) <= RESERVED
