"""The graph of a recipe: what follows from what is written, in which order, and what is no graph."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r1flow.components.core.errors import ConfigError
from r1flow.components.recipe.graph import ADDRESS, RESERVED
from r1flow.components.recipe.models import LanguageConfig, PromptConfig
from r1flow.components.recipe.presets import load_recipe, make_recipe, preset_names
from tests.fakes.recipes import ALPHABETS, RATE, RL, SELECT, SFT, SUMS, TINY, small


def edges(recipe):
    return {name: (dict(node.inputs), node.after) for name, node in recipe.graph.nodes.items()}


def test_the_graph_of_tiny():
    found = edges(load_recipe("tiny"))
    report = found.pop("report")
    assert report == ({}, tuple(found))
    rl = {"data": "problems", "certificate.exact": "certify/exact"}
    models = ["base", "student", "r1_zero", "dev1", "dev2", "dev3", "r1", "distilled", "student_rl"]
    assert found == {
        "suites": ({}, ()),
        "problems": ({"suites": "suites"}, ()),
        "general": ({"suites": "suites"}, ()),
        "base": ({}, ()),
        "student": ({}, ()),
        "certify/exact": ({}, ()),
        "r1_zero/gradient": ({}, ()),
        "r1_zero": ({"model": "base", **rl}, ("r1_zero/gradient",)),
        "chains": ({"from": "r1_zero", "problems": "problems"}, ()),
        "dev1": ({"model": "base", "data": "chains"}, ()),
        "dev2/gradient": ({}, ()),
        "dev2": ({"model": "dev1", **rl}, ("dev2/gradient",)),
        "teaching": ({"from": "dev2", "problems": "problems", "mix.0": "general"}, ()),
        "dev3": ({"model": "base", "data": "teaching"}, ()),
        "r1/gradient": ({}, ()),
        "r1": ({"model": "dev3", **rl}, ("r1/gradient",)),
        "distilled": ({"model": "student", "data": "teaching"}, ()),
        "student_rl/gradient": ({}, ()),
        "student_rl": ({"model": "student", **rl}, ("student_rl/gradient",)),
        **{f"evaluate/{model}": ({"model": model, "suites": "suites"}, ()) for model in models},
    }


def test_what_an_implied_node_is_about():
    nodes = load_recipe("tiny").graph.nodes
    about = {name: (node.kind.name, node.subject) for name, node in nodes.items() if node.subject}
    assert about["certify/exact"] == ("certify", "exact")
    assert about["dev2/gradient"] == ("gradient", "dev2")
    assert about["evaluate/student"] == ("evaluate", "student")
    assert {name for name in nodes if "/" in name} == set(about)


@pytest.mark.parametrize("name", preset_names())
def test_every_node_comes_behind_what_it_needs(name):
    graph = load_recipe(name).graph
    seen = set()
    for node in graph.nodes.values():
        assert set(node.needs) <= seen
        seen.add(node.name)


def test_the_stages_of_a_file_may_stand_in_any_order():
    stages = load_recipe("tiny").model_dump(mode="json")["stages"]
    plain = load_recipe("tiny")
    turned = make_recipe(plain.model_dump(mode="json") | {"stages": dict(reversed(stages.items()))})
    assert {n: (dict(x.inputs), x.kind) for n, x in turned.graph.nodes.items()} == {
        n: (dict(x.inputs), x.kind) for n, x in plain.graph.nodes.items()
    }
    names = list(turned.graph.nodes)
    assert names.index("r1_zero") < names.index("chains") < names.index("dev1") < names.index("dev2")


def test_what_goes_first_where_several_could():
    urgency = load_recipe("tiny").graph.urgency()
    first = {name for name, place in urgency.items() if place == 0}
    assert first == {
        "suites", "problems", "general", "base", "certify/exact", "r1_zero/gradient", "r1_zero", "chains", "dev1",
        "dev2/gradient", "dev2", "teaching", "dev3", "r1/gradient", "r1",
    }  # fmt: skip
    assert {name for name, place in urgency.items() if place == 2} == {n for n in urgency if n.startswith("evaluate/")}
    assert urgency["distilled"] == urgency["student"] == urgency["student_rl/gradient"] == 1


def test_ancestors_are_a_part_and_all_that_it_needs():
    graph = load_recipe("tiny").graph
    assert graph.ancestors([]) == set()
    assert graph.ancestors(["chains"]) == {
        "chains", "r1_zero", "r1_zero/gradient", "certify/exact", "base", "problems", "suites",
    }  # fmt: skip
    assert graph.ancestors(graph.nodes) == set(graph.nodes)
    assert list(graph.line("r1")) == ["dev3", "base"]
    assert list(graph.line("dev2")) == ["dev1", "base"]
    assert list(graph.line("chains")) == list(graph.line("base")) == []


def test_the_main_line_leads_to_what_is_promoted():
    assert load_recipe("tiny").graph.main_line() == ["base", "r1_zero", "dev1", "dev2", "dev3", "r1"]
    both = make_recipe({"preset": "tiny", "promote": {"small": {"model": "distilled", "suite": "sums"}}})
    assert both.graph.promoted == ("r1", "distilled")
    assert both.graph.main_line() == [
        "base",
        "r1_zero",
        "dev1",
        "dev2",
        "dev3",
        "r1",
    ]  # of the first promoted one's start
    none = load_recipe("tiny", ["promote.r1-tiny=false"])
    assert none.graph.main_line() == ["base", "r1_zero", "dev1", "dev2", "dev3", "r1"]
    other = make_recipe({"preset": "tiny", "promote": {"r1-tiny": {"model": "distilled"}}})
    assert other.graph.main_line() == ["student", "distilled"]


def test_a_part_of_the_graph_has_what_it_needs_its_evaluations_and_no_promotion():
    graph = load_recipe("tiny").graph
    part = graph.only(["dev1", "student"])
    assert set(part.nodes) == graph.ancestors(["dev1"]) | {"student", "evaluate/dev1", "evaluate/student"}
    assert list(part.nodes) == [name for name in graph.nodes if name in part.nodes]
    assert part.promoted == ()
    assert set(graph.only(["problems"]).nodes) == {"suites", "problems"}
    assert set(graph.only(["evaluate/base"]).nodes) == {"suites", "base", "evaluate/base"}
    with pytest.raises(ConfigError, match=r"there is no stage 'dev9'; did you mean dev\d\?"):
        graph.only(["dev9"])


def test_curation_and_suites_alone_need_no_report():
    assert set(small(models={}).graph.nodes) == {"suites", "problems", "traces"}
    assert set(load_recipe("curate-math").graph.nodes) == {"suites", "problems"}


def test_without_suites_nothing_is_held_out_and_nothing_is_measured():
    recipe = small({"zero": RL}, suites={})
    assert edges(recipe)["problems"] == ({}, ())
    assert not [name for name in recipe.graph.nodes if name.startswith("evaluate/") or name == "suites"]


def test_what_is_measured_is_chosen():
    names = small({"zero": RL}, evaluate={"models": ["zero"]}).graph.nodes
    assert [name for name in names if name.startswith("evaluate/")] == ["evaluate/zero"]
    for nothing in ({"models": []}, {"suites": []}):
        names = small({"zero": RL}, evaluate=nothing).graph.nodes
        assert not [name for name in names if name.startswith("evaluate/")]
        assert "suites" in names  # they are held against the problems all the same


@pytest.mark.parametrize(
    ("prompt", "language", "verifier", "certificates"),
    [
        (TINY, ALPHABETS, None, {"exact"}),
        ({"format": "think_answer"}, ALPHABETS, None, {"exact", "think_answer"}),
        ({"format": "think_answer_strict"}, {"target": "zh"}, "math", {"math", "think_answer_strict", "language_zh"}),
        (TINY, {"target": "de"}, "choice", {"choice"}),
        (TINY, {"target": "en"}, "code", {"code", "language_en"}),
    ],
)
def test_rl_rests_on_certificates_of_what_its_rewards_use(prompt, language, verifier, certificates):
    sources = {"a": SUMS, "b": SUMS} if verifier is None else {"a": {"uri": "a.jsonl", "verifier": verifier}}
    recipe = small(
        {"zero": RL, "dev": SFT},
        models={"base": {"source": "x", "prompt": prompt, "language": language}},
        datasets={
            "problems": {"sources": sources},
            "traces": {"kind": "demonstrations", "sources": {"t": {"uri": "t"}}},
        },
    )
    inputs, _ = edges(recipe)["zero"]
    assert {role: name for role, name in inputs.items() if role.startswith("certificate.")} == {
        f"certificate.{name}": f"certify/{name}" for name in certificates
    }
    assert {name for name in recipe.graph.nodes if name.startswith("certify/")} == {
        f"certify/{c}" for c in certificates
    }
    assert not [role for role in edges(recipe)["dev"][0] if role.startswith("certificate.")]


def test_a_dataset_of_several_verifiers_implies_a_certificate_for_each():
    sources = {"a": {"uri": "a", "verifier": "math"}, "b": {"uri": "b", "verifier": "choice"}, "c": {"uri": "c"}}
    inputs, _ = edges(small({"zero": RL}, datasets={"problems": {"sources": sources}}))["zero"]
    assert [role for role in inputs if role.startswith("certificate.")] == ["certificate.choice", "certificate.math"]


def test_difficulty_implies_pass_rates_unless_it_names_some():
    implied = edges(small({"zero": RL | {"difficulty": {"samples": 4}}}))
    assert implied["zero/rate"] == ({"model": "base", "data": "problems"}, ())
    assert implied["zero"][0]["difficulty.rates"] == "zero/rate"
    named = edges(small({"rated": RATE, "zero": RL | {"difficulty": {"rates": "rated"}}}))
    assert "zero/rate" not in named
    assert named["zero"][0]["difficulty.rates"] == "rated"
    assert named["rated"] == ({"model": "base", "data": "problems"}, ())
    stored = small({"zero": RL | {"difficulty": {"rates": "ledger/0123abcd"}}}).graph.nodes["zero"]
    assert stored.inputs["difficulty.rates"] == "ledger/0123abcd"
    assert "ledger/0123abcd" not in stored.needs


def test_pre_training_keeps_the_suites_out_of_its_corpus():
    found = edges(load_recipe("tiny-base"))
    assert found["base"] == ({"suites": "suites"}, ())
    assert found["evaluate/base"] == ({"model": "base", "suites": "suites"}, ())


def test_a_selection_of_demonstrations_needs_no_problems():
    found = edges(small({"good": SELECT | {"from": "traces"}, "zero": RL, "chains": SELECT}))
    assert found["good"] == ({"from": "traces"}, ())
    assert found["chains"] == ({"from": "zero", "problems": "problems"}, ())


def test_a_model_whose_name_is_of_hexadecimal_digits_is_no_address():
    recipe = small({"cafe": RL})
    assert "evaluate/cafe" in recipe.graph.nodes["report"].needs
    assert ADDRESS.fullmatch("rl/cafe0123")
    assert not ADDRESS.fullmatch("evaluate/cafe")


def test_a_stage_is_asked_as_the_model_that_it_starts_from():
    other = {"template": "r1_zero", "format": "think_answer"}
    recipe = small(
        {
            "zero": RL,
            "own": RL | {"model": "zero", "prompt": other, "language": {"target": "zh"}},
            "after": SFT | {"model": "own"},
            "chains": SELECT | {"from": "own"},
            "again": SELECT | {"from": "chains"},
            "given": SELECT | {"from": "own", "prompt": TINY},
            "foreign": SELECT | {"from": "traces"},
        }
    )
    mine, theirs = PromptConfig(**TINY), PromptConfig(**other)
    assert recipe.prompt_of("base") == recipe.prompt_of("zero") == mine
    assert [recipe.prompt_of(name) for name in ("own", "after", "chains", "again")] == [theirs] * 4
    assert recipe.prompt_of("given") == mine
    assert recipe.language_of("zero") == LanguageConfig(**ALPHABETS)
    assert recipe.language_of("again") == recipe.language_of("given") == LanguageConfig(target="zh")
    assert recipe.prompt_of("foreign") == PromptConfig()
    assert recipe.start_of("after") == recipe.start_of("base") == "base"
    assert recipe.start_of("chains") == recipe.start_of("problems") == ""
    assert load_recipe("tiny-base").start_of("base") == ""
    assert load_recipe("tiny-base").prompt_of("base") == mine


def test_tables_call_parts_by_their_titles():
    recipe = load_recipe("tiny", ["r1_zero.difficulty={samples=2}"])
    assert recipe.title("dev1") == "Dev1 (cold start)"
    assert recipe.title("problems") == "problems"
    assert recipe.title("evaluate/base") == "Evaluation of Base"
    assert recipe.title("r1_zero/gradient") == "Gradient of R1-Zero"
    assert recipe.title("r1_zero/rate") == "Pass rates for R1-Zero"
    assert recipe.title("certify/exact") == "Certificate of exact"


@st.composite
def forests(draw):
    """SFT stages of which each starts from any earlier one or from the base, written in any order."""
    names = draw(
        st.lists(
            st.from_regex(r"\A[a-z][a-z0-9_-]{2,6}\Z").filter(lambda n: n not in RESERVED),
            min_size=1,
            max_size=7,
            unique=True,
        )
    )
    taken = {"base", "problems", "traces"}
    names = [name for name in names if name not in taken] or ["only"]
    before = [draw(st.integers(-1, place - 1)) for place in range(len(names))]
    stages = {
        name: SFT | {"model": "base" if before[place] < 0 else names[before[place]]} for place, name in enumerate(names)
    }
    order = draw(st.permutations(list(stages)))
    return {name: stages[name] for name in order}


@settings(max_examples=30, deadline=None)
@given(forests())
def test_any_forest_of_stages_is_a_graph_in_order(stages):
    graph = small(stages).graph
    seen = set()
    for node in graph.nodes.values():
        assert set(node.needs) <= seen
        seen.add(node.name)
    for name, stage in stages.items():
        assert next(graph.line(name)) == stage["model"]
        assert f"evaluate/{name}" in graph.nodes
        assert {name, stage["model"], "traces", "suites"} <= graph.ancestors([name])
        assert graph.ancestors([name]) | {f"evaluate/{name}"} == set(graph.only([name]).nodes)
