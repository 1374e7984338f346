"""Memory of SFT, ratings and evaluations, by hand."""

from dataclasses import replace

from r1flow.components.costs.memory import Layout, activations, log_probabilities
from r1flow.components.costs.others import other_memory, sampled, taught
from r1flow.components.costs.preset import models_of
from r1flow.components.costs.work import Lengths
from r1flow.components.recipe.presets import load_recipe, make_recipe
from tests.components.costs.test_memory import PLAIN


def test_sft_holds_as_many_rows_as_micro_tokens_has_room_for():
    config = load_recipe("tiny").stages["dev1"].model_copy(update={"batch_size": 7, "micro_tokens": 125})
    found = taught(PLAIN, config, 30, Lengths(10))  # rows of 40: three at a time, so three passes over seven
    assert (found.policy.total, found.reference, found.value, found.sampling, found.passes) == (16000, 0, None, 0, 3)
    assert found.activations == activations(PLAIN, Layout(), 120, 0.0)
    assert found.log_probabilities == log_probabilities(PLAIN, 90)
    short = replace(PLAIN, positions=16)  # a row is 16 tokens, of which 8 are the prompt's
    assert taught(short, config, 30, Lengths(10)).activations == activations(PLAIN, Layout(), 7 * 16, 0.0)


def test_what_samples_holds_the_weights_and_a_full_batch_at_its_longest():
    found = sampled(PLAIN, 3, 4, 30, Lengths(10))
    # two layers, 8 numbers of 4 bytes: three prompts once, twelve completions; logits three times for twelve rows
    assert found.sampling == 4 * 2 * 8 * (3 * 10 + 12 * 30) + 3 * 4 * 50 * 12
    assert found.peak == 4000 + found.sampling
    assert sampled(PLAIN, 1000, 4, 30, Lengths(10)).sampling == sampled(PLAIN, 128, 4, 30, Lengths(10)).sampling


def test_every_node_that_is_no_rl_and_has_a_model_is_there():
    tables = {"stages": {"dev2": {"difficulty": {"samples": 4}}}}
    recipe = make_recipe({"preset": "tiny", **tables}, [])
    found = other_memory(recipe, models_of(recipe), Lengths(11))
    assert {"dev1", "dev3", "distilled", "dev2/rate", "evaluate/base", "evaluate/student_rl"} <= set(found)
    assert not {"r1_zero", "dev2", "chains", "dev2/gradient"} & set(found)
    assert other_memory(recipe, {}, Lengths(11)) == {}
