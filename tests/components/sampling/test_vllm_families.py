"""vLLM's CPU build serves a family as the model itself defines it, with new weights too, or r1flow refuses it by name."""

import pytest
import torch
import transformers

from r1flow.components.core.errors import ConfigError
from r1flow.components.core.head import keep_to
from r1flow.components.core.models import known_ids
from r1flow.components.data.tinyworld.model import build_tokenizer
from r1flow.components.programs.admission import admit_sampler
from r1flow.components.recipe.presets import load_recipe
from r1flow.components.sampling.base import Request, Sampling
from r1flow.components.sampling.digest import tensors_digest
from r1flow.components.sampling.proof import model_logprobs
from r1flow.components.sampling.vllm_families import EXPERTS, HEADS, OTHERWISE, SERVED, refusal, unserved
from tests.docs import family_table
from tests.fakes.families import BASE, EOS, FAMILIES, wide_model

MOST = 1e-5
PROMPTS = (tuple(range(2, 9)), tuple(2 + i % 37 for i in range(40)))
"""Shorter and longer than the windows, and than a block of vLLM's cache."""


def config_of(family, **changes):
    name, own = FAMILIES[family]
    return getattr(transformers, name)(**(BASE | own | {"hidden_size": 128} | changes))


def test_every_proven_family_is_served_or_refused_for_a_reason_and_the_table_says_which():
    assert frozenset(FAMILIES) == SERVED | EXPERTS | OTHERWISE
    column = {family: row["vLLM"] for family, row in family_table().items()}
    assert {family for family, told in column.items() if told != "refused"} == SERVED
    assert all(float(told) <= MOST for told in column.values() if told != "refused")


@pytest.mark.parametrize("family", sorted(EXPERTS | OTHERWISE))
def test_what_vllm_computes_otherwise_or_cannot_renew_is_refused_by_name(family):
    assert family in unserved(config_of(family))


@pytest.mark.parametrize(
    ("family", "changes", "why"),
    [
        ("llama", {"num_attention_heads": 8}, "no attention for heads of 16, but for 32, 64"),
        ("qwen3", {"head_dim": 48}, "no attention for heads of 48"),
        ("gpt2", {"num_attention_heads": 8}, "no attention for heads of 16"),
        ("qwen2", {}, "refuses a Qwen 2 with windows in some of its layers"),
    ],
)
def test_a_shape_that_vllm_has_no_kernel_for_is_refused_by_its_number(family, changes, why):
    assert why in unserved(config_of(family, **changes))


@pytest.mark.parametrize("family", sorted(SERVED))
def test_a_served_family_of_a_usual_shape_is_let_through(family):
    changes = {"use_sliding_window": False} if family == "qwen2" else {}
    assert not unserved(config_of(family, head_dim=HEADS[0], **changes))


def test_a_family_that_nobody_has_tried_is_refused():
    assert "falcon is not among" in unserved(transformers.FalconConfig())


def test_a_recipe_that_asks_for_vllm_is_refused_before_it_starts_and_others_are_not():
    recipe = load_recipe("tiny", ["run.sampler=vllm"])
    unable = {"base": "it has no attention for heads of 16"}
    with pytest.raises(ConfigError) as refused:
        admit_sampler(recipe, recipe.graph, "cpu", unable)
    assert str(refused.value) == refusal(unable["base"], "the model base")
    admit_sampler(recipe, recipe.graph, "cuda", unable)
    admit_sampler(recipe, recipe.graph, "cpu", {"another": "anything"})
    admit_sampler(load_recipe("tiny", ["run.sampler=auto"]), recipe.graph, "cpu", unable)


def apart(sampler, model):
    """The greatest difference from the model's own forward, in nats; windows, ids that nobody has, short and long prompts."""
    own = model_logprobs(model)
    requests = [Request(PROMPTS[i % 2], i) for i in range(6)]
    done = sampler.generate(requests, Sampling(20))
    pairs = [(own(r.prompt_ids, c.ids), c) for r, c in zip(requests, done, strict=True)]
    assert max(max(c.ids) for c in done) < 40
    return max(abs(a - b) for wanted, c in pairs for a, b in zip(wanted, c.logprobs, strict=True))


@pytest.mark.extra
@pytest.mark.parametrize("family", sorted(SERVED))
def test_vllm_gives_a_family_its_own_log_probabilities_before_and_after_new_weights(family, tmp_path):
    from r1flow.components.sampling.vllm import VllmSampler

    model, tokenizer = wide_model(family), build_tokenizer("")
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    keep_to(model, known_ids(tokenizer))
    threads = torch.get_num_threads()
    sampler = VllmSampler(tmp_path, eos_id=EOS)
    try:
        assert sampler.weights_digest() == tensors_digest(model.named_parameters())
        found = [apart(sampler, model)]
        torch.manual_seed(1)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
        sampler.load_weights(model.named_parameters(), 1)
        assert sampler.weights_digest() == tensors_digest(model.named_parameters())
        found.append(apart(sampler, model))
    finally:
        sampler.close()
        torch.set_num_threads(threads)
    print(f"| `{family}` | {max(found):.1e} |")
    assert max(found) <= MOST, found
