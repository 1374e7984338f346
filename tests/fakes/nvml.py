"""A fake of pynvml: this machine has no NVIDIA card, and no machine has all that is asked about (two makes, a part of one)."""

import sys
from types import ModuleType, SimpleNamespace

import pynvml
import pytest

from r1flow.components.core import cuda

GIB = 2**30


def install(
    monkeypatch: pytest.MonkeyPatch, *cards: cuda.Card, slices: tuple[cuda.Card, ...] = (), broken: str = ""
) -> None:
    """Make ``cards`` this machine's; ``broken`` names the error that NVML answers with instead. The errors are pynvml's own."""
    fake = ModuleType("pynvml")
    fake.__dict__.update({name: value for name, value in vars(pynvml).items() if name.startswith("NVMLError")})

    def init() -> None:
        if broken:
            raise pynvml.NVMLError(getattr(pynvml, broken))

    def memory(card: cuda.Card) -> SimpleNamespace:
        if card.memory is None:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return SimpleNamespace(total=card.memory)

    def by_uuid(uuid: str) -> cuda.Card:
        for card in slices:
            if card.uuid == uuid:
                return card
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)

    fake.nvmlInit, fake.nvmlShutdown = init, lambda: None
    fake.nvmlDeviceGetCount, fake.nvmlDeviceGetHandleByIndex = lambda: len(cards), lambda index: cards[index]
    fake.nvmlDeviceGetHandleByUUID = by_uuid
    fake.nvmlDeviceGetName, fake.nvmlDeviceGetUUID = lambda card: card.name, lambda card: card.uuid
    fake.nvmlDeviceGetMemoryInfo = memory
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for cached in (cuda._installed, cuda._slice):
        monkeypatch.setattr(cuda, cached.__name__, cuda.cache(cached.__wrapped__))
