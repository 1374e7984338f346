"""The CUDA devices of this machine, by NVML: without torch, and without a CUDA context that would hold memory for a whole run.

Cards of other makers are not looked for: ``run.device = "cuda"`` hands them to a torch that was built for them.
"""

import logging
import os
import re
import runpy
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Card:
    """A CUDA device: its name as torch gives it, its memory in bytes (None where it shares the machine's), its UUID."""

    name: str
    memory: int | None
    uuid: str


def resolve_device(name: str) -> str:
    """``auto`` is CUDA where there is a device and the installed torch was built for it, else the CPU."""
    return name if name != "auto" else "cuda" if cards() and _torch_has_cuda() else "cpu"


def describe_device() -> str:
    """What ``auto`` computes on, for people and for the table of prices."""
    return cards()[0].name if resolve_device("auto") == "cuda" else f"CPU, {os.cpu_count()} cores"


def cards() -> tuple[Card, ...]:
    """The devices that a program started here would see, in its order.

    ``CUDA_VISIBLE_DEVICES`` is read as CUDA reads it: a list of indices or of UUIDs (a unique beginning is enough) that ends
    at the first entry that names none; one named twice hides all. NVML counts in the order of the bus, as CUDA does with
    ``CUDA_DEVICE_ORDER=PCI_BUS_ID``: on a machine of different cards an index may be another's without it.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return _installed()
    chosen: list[Card] = []
    for entry in visible.split(","):
        if (card := _named(entry.strip())) is None:
            break
        if card in chosen:
            return ()
        chosen.append(card)
    return tuple(chosen)


def _named(entry: str) -> Card | None:
    if entry.startswith("MIG-"):
        return _slice(entry)
    if entry.startswith("GPU-"):
        found = [card for card in _installed() if card.uuid.startswith(entry)]
        return found[0] if len(found) == 1 else None
    index = re.match(r"\+?\d+", entry)
    return _installed()[int(index[0])] if index and int(index[0]) < len(_installed()) else None


@cache
def _installed() -> tuple[Card, ...]:
    """All devices of the machine, in NVML's order; none where there is no driver, and with a warning where it does not answer."""
    import pynvml

    try:
        pynvml.nvmlInit()
        try:
            handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
            return tuple(_card(handle) for handle in handles)
        finally:
            pynvml.nvmlShutdown()
    except (pynvml.NVMLError_LibraryNotFound, pynvml.NVMLError_DriverNotLoaded):
        return ()
    except pynvml.NVMLError as error:
        logger.warning(
            "NVIDIA's driver does not answer (%s): its devices count as absent; nvidia-smi tells more", error
        )
        return ()


@cache
def _slice(uuid: str) -> Card | None:
    """A part of a card (MIG) by its whole UUID."""
    import pynvml

    if not _installed():
        return None
    pynvml.nvmlInit()
    try:
        return _card(pynvml.nvmlDeviceGetHandleByUUID(uuid))
    except (pynvml.NVMLError_NotFound, pynvml.NVMLError_InvalidArgument):
        return None
    finally:
        pynvml.nvmlShutdown()


def _card(handle: Any) -> Card:
    import pynvml

    try:
        memory = int(pynvml.nvmlDeviceGetMemoryInfo(handle).total)
    except pynvml.NVMLError_NotSupported:
        memory = None
    return Card(pynvml.nvmlDeviceGetName(handle), memory, pynvml.nvmlDeviceGetUUID(handle))


@cache
def _torch_has_cuda() -> bool:
    """Whether torch was built with CUDA, by the file that says so: importing torch would take seconds."""
    torch = find_spec("torch")
    if torch is None or torch.origin is None:
        return False
    return runpy.run_path(str(Path(torch.origin).with_name("version.py")))["cuda"] is not None
