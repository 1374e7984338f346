"""Which CUDA devices there are, by a fake NVML: what torch's own reading of CUDA_VISIBLE_DEVICES makes of them is the oracle."""

import subprocess
import sys

import pytest
import torch

from r1flow.components.core import cuda
from r1flow.components.core.cuda import Card, cards, describe_device, resolve_device
from tests.fakes.nvml import GIB, install
from tests.runs import ROOT, environment

H100 = Card("NVIDIA H100 80GB HBM3", 80 * GIB, "GPU-1a11")
L4 = Card("NVIDIA L4", 24 * GIB, "GPU-1b22")
GB10 = Card("NVIDIA GB10", None, "GPU-2c33")
SLICE = Card("NVIDIA H100 80GB HBM3 MIG 1g.10gb", 10 * GIB, "MIG-44")


@pytest.fixture
def built_with_cuda(monkeypatch):
    monkeypatch.setattr(cuda, "_torch_has_cuda", lambda: True)


@pytest.fixture
def three(monkeypatch):
    install(monkeypatch, H100, L4, GB10, slices=(SLICE,))


def test_names_and_memory_come_in_order(three):
    assert cards() == (H100, L4, GB10)


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("", ()),
        ("-1", ()),
        ("NoDevFiles", ()),
        ("1", (L4,)),
        ("2, 0", (GB10, H100)),
        ("0,-1,1", (H100,)),
        ("0,3,1", (H100,)),
        ("1,1", ()),
        ("1st,2nd", (L4, GB10)),
        ("GPU-1b22,GPU-1a11", (L4, H100)),
        ("GPU-2", (GB10,)),
        ("GPU-1", ()),
        ("GPU-2,GPU-9,GPU-1a", (GB10,)),
    ],
)
def test_what_is_visible_is_what_torch_would_see(three, monkeypatch, visible, expected):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert cards() == expected
    parsed = torch.cuda._parse_visible_devices()
    if parsed and isinstance(parsed[0], str):
        parsed = torch.cuda._transform_uuid_to_ordinals(parsed, [H100.uuid, L4.uuid, GB10.uuid])
    seen = []
    for index in parsed:
        if index > 2:
            break
        seen.append((H100, L4, GB10)[index])
    assert tuple(seen) == expected


def test_a_part_of_a_card_is_found_by_its_uuid(three, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", SLICE.uuid)
    assert cards() == (SLICE,)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-55")
    assert cards() == ()


@pytest.mark.parametrize("broken", ["NVML_ERROR_LIBRARY_NOT_FOUND", "NVML_ERROR_DRIVER_NOT_LOADED"])
def test_without_a_driver_there_is_none(monkeypatch, caplog, built_with_cuda, broken):
    install(monkeypatch, broken=broken)
    assert (cards(), resolve_device("auto"), caplog.text) == ((), "cpu", "")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-44")
    assert cards() == ()


def test_a_driver_that_does_not_answer_is_told(monkeypatch, caplog):
    install(monkeypatch, H100, broken="NVML_ERROR_LIB_RM_VERSION_MISMATCH")
    assert cards() == ()
    assert "NVIDIA's driver does not answer" in caplog.text
    assert "nvidia-smi" in caplog.text


def test_auto_is_the_first_visible_card(three, monkeypatch, built_with_cuda):
    assert (resolve_device("auto"), describe_device()) == ("cuda", H100.name)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert resolve_device("auto") == "cpu"
    assert describe_device().startswith("CPU, ")


def test_a_torch_that_was_built_without_cuda_computes_on_the_cpu(three, monkeypatch):
    assert cuda._torch_has_cuda() is (torch.version.cuda is not None)
    monkeypatch.setattr(cuda, "_torch_has_cuda", lambda: False)
    assert resolve_device("auto") == "cpu"


@pytest.mark.parametrize("name", ["cpu", "cuda"])
def test_a_named_device_is_kept(name):
    assert resolve_device(name) == name


def test_nothing_of_this_imports_torch(tmp_path):
    code = """
import sys
from r1flow.components.recipe.presets import load_recipe
from r1flow.components.recipe.settings import Settings
from r1flow.tasks.budget import open_budget
from r1flow.tasks.place import find_place
recipe = load_recipe("smoke", ["run.device=auto"])
assert recipe.run.device == "auto"
print(open_budget(recipe, Settings(), find_place(recipe).device).device)
print(sorted({"torch", "transformers"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(tmp_path),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.gpu
def test_torch_sees_the_same_devices():
    seen = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    assert [card.name for card in cards()] == [device.name for device in seen]
    assert all(device.total_memory <= card.memory for card, device in zip(cards(), seen, strict=True) if card.memory)
    assert (resolve_device("auto"), describe_device()) == ("cuda", seen[0].name)
