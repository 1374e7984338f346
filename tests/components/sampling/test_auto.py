"""The rule behind `auto` is fixed: nothing but the name, the device and the number of parameters decides."""

import pytest

from r1flow.components.sampling.auto import VLLM_FROM, resolve_sampler


@pytest.mark.parametrize(
    ("device", "parameters", "expected"),
    [
        ("cpu", VLLM_FROM, "vllm"),
        ("cpu", VLLM_FROM - 1, "transformers"),
        ("cpu", None, "transformers"),
        ("cuda", 7_000_000_000, "transformers"),
    ],
)
def test_auto_is_resolved_by_device_and_size(device, parameters, expected):
    assert resolve_sampler("auto", device=device, num_parameters=parameters) == expected


def test_auto_is_transformers_for_what_vllm_cannot_serve():
    assert resolve_sampler("auto", device="cpu", num_parameters=VLLM_FROM, served=False) == "transformers"
    assert resolve_sampler("vllm", device="cpu", num_parameters=VLLM_FROM, served=False) == "vllm"


@pytest.mark.parametrize("name", ["transformers", "vllm"])
def test_a_name_is_taken_as_it_is(name):
    assert resolve_sampler(name, device="cpu", num_parameters=1) == name


def test_an_unknown_name_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"no sampler 'llama'.*auto, transformers, vllm"):
        resolve_sampler("llama", device="cpu", num_parameters=1)
