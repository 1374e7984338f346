"""The place of a run: of it a fingerprint sees what a kind reads, and a program is told all of it."""

import pytest

from r1flow.components.recipe.kinds import IMPLIED, STAGES
from r1flow.components.recipe.presets import load_recipe
from r1flow.tasks.place import Place, find_place

TINY = load_recipe("tiny", ["run.threads=2"])


@pytest.mark.parametrize(
    ("kind", "read"),
    [
        (IMPLIED["curate"], set()),
        (IMPLIED["suites"], set()),
        (IMPLIED["import"], set()),
        (IMPLIED["certify"], set()),
        (IMPLIED["gradient"], {"run.device", "run.threads", "run.engine"}),
        (IMPLIED["evaluate"], {"run.device", "run.threads", "run.sampler", "prompt", "language"}),
        (STAGES["pretrain"], {"run.device", "run.threads", "prompt"}),
        (STAGES["sft"], {"run.device", "run.threads", "prompt"}),
        (STAGES["rl"], {"run.device", "run.threads", "run.sampler", "run.engine", "prompt", "language"}),
        (STAGES["rate"], {"run.device", "run.threads", "run.sampler", "prompt", "language"}),
        (STAGES["select"], {"prompt", "language"}),
    ],
)
def test_what_a_kind_reads_on_a_cpu(kind, read):
    found = Place("cpu").settings(kind, TINY, "r1_zero")
    keys = {key for key in found if key != "run"} | {f"run.{key}" for key in found.get("run", {})}
    assert keys == read


def test_on_cuda_only_the_precision_of_the_engine_counts():
    cuda = Place("cuda").settings(STAGES["rl"], TINY, "r1_zero")
    assert cuda["run"] == {"device": "cuda", "sampler": "transformers", "engine": {"dtype": "float32"}}
    whole = Place("cuda").settings(IMPLIED["gradient"], TINY, "r1_zero")["run"]["engine"]
    assert {"kind", "zero_stage", "ranks", "nodes", "dtype"} <= set(whole)
    assert not {"rendezvous", "hostfile", "timeout_s"} & set(whole)


def test_prompt_and_language_are_those_of_the_model_that_is_asked():
    recipe = load_recipe("tiny", ["student.prompt.template=r1_zero"])
    asked = {
        name: Place("cpu").settings(STAGES["sft"], recipe, name)["prompt"]["template"] for name in ("dev1", "distilled")
    }
    assert asked == {"dev1": "tiny", "distilled": "r1_zero"}


def test_the_sampler_follows_from_the_size_of_the_start_model():
    place = Place("cpu", {"base": 2_000_000, "student": 1000})
    samplers = {
        name: place.settings(STAGES["rl"], TINY, name)["run"]["sampler"] for name in ("base", "dev2", "student_rl")
    }
    assert samplers == {"base": "vllm", "dev2": "vllm", "student_rl": "transformers"}
    named = load_recipe("tiny", ["run.sampler=transformers"])
    assert place.settings(STAGES["rl"], named, "dev2")["run"]["sampler"] == "transformers"


def test_a_start_model_that_vllm_cannot_serve_is_sampled_by_transformers():
    place = Place("cpu").knowing({}, {"base": 2_000_000, "student": 2_000_000}, ["base"])
    samplers = [place.settings(STAGES["rl"], TINY, name)["run"]["sampler"] for name in ("dev2", "student_rl")]
    assert samplers == ["transformers", "vllm"]


def test_a_place_has_the_sizes_that_the_recipe_says_before_those_that_were_seen():
    place = find_place(load_recipe("r1-zero-7b", ["run.device=cpu"]))
    assert (place.device, dict(place.parameters), dict(place.digests)) == ("cpu", {"base": 7_615_616_512}, {})
    more = place.knowing({"base": "ab", "other": "cd"}, {"base": 3, "other": 4})
    assert dict(more.parameters) == {"base": 7_615_616_512, "other": 4}
    assert dict(more.digests) == {"base": "ab", "other": "cd"}
    assert dict(place.digests) == {}


def test_a_program_is_told_all_of_it():
    beside = Place("cuda").beside(load_recipe("tiny", ["run.threads=3", "run.scorers=5"]))
    assert (beside["scorers"], beside["run"]["device"], beside["run"]["threads"]) == (5, "cuda", 3)
    assert beside["run"]["engine"]["kind"] == "single"
