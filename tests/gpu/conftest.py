"""What the tests of the GPU share. They need torch, transformers and pytest, and nothing else.

    PYTHONPATH=. python -m pytest -c tests/gpu/pytest.ini tests/gpu

``R1_GPU_TESTS_ON=cpu`` runs them on a CPU, which proves the tests and not the GPU.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
import torch

from r1flow.components.core.models import BUILTIN, load_model, load_tokenizer
from r1flow.components.data.tinyworld.problems import make_sum
from r1flow.components.rewards.language import AlphabetLanguage
from r1flow.components.rewards.score import Rules, Scorer

HERE = Path(__file__).parent
BASE = BUILTIN["tiny-base"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.gpu)


@pytest.fixture(scope="session")
def device() -> torch.device:
    where = os.environ.get("R1_GPU_TESTS_ON", "cuda")
    if where == "cuda" and not torch.cuda.is_available():
        pytest.skip("torch finds no CUDA device")
    return torch.device(where)


@dataclass(frozen=True)
class Sum:
    """A problem of the tiny world with what trainer and rewards ask of a row of data."""

    id: str
    prompt: str
    answer: str
    verifier: str = "exact"
    skill: str = "sum"


class World:
    """The shipped base model on a device, its tokenizer, sums and the rewards of R1-Zero."""

    def __init__(self, device: torch.device, dtype: str) -> None:
        self.model = load_model(BASE, dtype=dtype, device=str(device))
        self.tokenizer = load_tokenizer(BASE)
        self.eos, self.pad = int(self.tokenizer.eos_token_id), int(self.tokenizer.pad_token_id)
        rng = Random(0)
        problems = [make_sum(rng, 2 + i % 4) for i in range(512)]
        self.rows = [Sum(str(i), p.prompt, p.answer) for i, p in enumerate(problems)]
        rules = Rules({"accuracy": 1.0, "format": 1.0}, "think", AlphabetLanguage("0123456789", "abcdefghij"))
        self.score = Scorer(rules)

    def encode(self, row: Sum) -> tuple[int, ...]:
        return tuple(self.tokenizer(f"{row.prompt}=", add_special_tokens=False)["input_ids"])

    def decode(self, ids: tuple[int, ...]) -> str:
        end = len(ids) - 1 if ids and ids[-1] == self.eos else len(ids)
        return str(self.tokenizer.decode(ids[:end], skip_special_tokens=False))


@pytest.fixture(params=["float32", "bfloat16"])
def world(request: pytest.FixtureRequest, device: torch.device) -> World:
    return World(device, request.param)
