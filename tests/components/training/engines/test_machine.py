"""Peak rates by card, and a CPU's by measuring."""

import pytest
import torch

from r1flow.components.training.engines import machine


@pytest.mark.parametrize(
    ("name", "rate"),
    [
        ("NVIDIA H100 80GB HBM3", 989e12),
        ("NVIDIA H100 PCIe", 756e12),
        ("NVIDIA H200", 989e12),
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("Some other card", None),
    ],
)
def test_a_card_is_known_by_the_name_that_torch_gives_it(name: str, rate: float | None) -> None:
    assert machine.card_flops(name, torch.bfloat16) == rate


def test_float32_has_its_own_rate() -> None:
    assert machine.card_flops("NVIDIA A100-SXM4-80GB", torch.float32) == 19.5e12


def test_a_cpus_rate_is_measured_once() -> None:
    cpu = torch.device("cpu")
    rate = machine.peak_flops(cpu, torch.float32)
    assert rate is not None
    assert rate > 1e7
    assert machine.peak_flops(cpu, torch.float32) == rate


def test_a_device_that_nobody_knows_has_no_rate() -> None:
    assert machine.peak_flops(torch.device("meta"), torch.float32) is None


def test_the_peak_of_a_processs_memory_never_falls() -> None:
    cpu = torch.device("cpu")
    before = machine.peak_memory(cpu)
    block = torch.ones(2**24)  # 64 MiB, written
    after = machine.peak_memory(cpu)
    del block
    assert machine.peak_memory(cpu) >= after >= before > 0.01
