"""The preset of a real language model: its graph, what it starts from, and what of it may be changed at the command line."""

from r1flow.components.recipe.presets import load_recipe
from r1flow.components.sampling.auto import resolve_sampler
from r1flow.components.store.models import is_hub_id


def test_it_is_a_cold_start_and_rl_with_an_evaluation_before_and_after_each() -> None:
    recipe = load_recipe("smol")
    found = {name: (dict(node.inputs), node.after) for name, node in recipe.graph.nodes.items()}
    report = found.pop("report")
    assert report == ({}, tuple(found))
    certificates = ("math", "think_answer", "language_en")
    assert found == {
        "suites": ({}, ()),
        "problems": ({"suites": "suites"}, ()),
        "traces": ({"suites": "suites"}, ()),
        "base": ({}, ()),
        "started": ({"model": "base", "data": "traces"}, ()),
        **{f"certify/{name}": ({}, ()) for name in certificates},
        "reasoner/gradient": ({}, ()),
        "reasoner": (
            {
                "model": "started",
                "data": "problems",
                **{f"certificate.{name}": f"certify/{name}" for name in certificates},
            },
            ("reasoner/gradient",),
        ),
        **{
            f"evaluate/{model}": ({"model": model, "suites": "suites"}, ()) for model in ("base", "started", "reasoner")
        },
    }


def test_every_model_answers_the_same_256_problems_as_in_training() -> None:
    recipe = load_recipe("smol")
    [suite] = recipe.suites.values()
    trained = recipe.stages["reasoner"]
    assert (suite.problems, suite.source.size) == (256, 256)
    assert (suite.temperature, suite.top_p, suite.max_tokens) == (trained.temperature, 1.0, trained.max_tokens)
    assert {name: recipe.prompt_of(name) for name in ("started", "reasoner")} == dict.fromkeys(
        ("started", "reasoner"), recipe.models["base"].prompt
    )


def test_a_right_answer_pays_where_the_whole_is_well_formed_and_nothing_else_pays() -> None:
    config = load_recipe("smol").stages["reasoner"]
    assert {name: weight for name, weight in config.rewards.weights().items() if weight} == {"accuracy": 1.0}
    assert config.reward_gates == {"accuracy": "format"}


def test_it_needs_neither_a_gpu_nor_vllm_and_its_model_may_lie_here() -> None:
    recipe = load_recipe("smol")
    assert (recipe.run.device, recipe.run.threads) == ("cpu", 2)
    assert resolve_sampler(recipe.run.sampler, device="cpu", num_parameters=134_515_008) == "transformers"
    assert is_hub_id(recipe.models["base"].source)
    given = load_recipe("smol", ["base.source=models/SmolLM2.gguf"]).models["base"]
    assert not is_hub_id(given.source)
    assert given.shape == recipe.models["base"].shape
