"""A trainer's whole state as safetensors and JSON, so that a killed run goes on bit for bit.

No generator state is kept, because none exists: every random number is a function of (seed, purpose, step), see
:mod:`r1flow.components.core.seeds`.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

from r1flow.components.core.errors import ConfigError
from r1flow.components.training.engines import ranks
from r1flow.components.training.engines.base import Engine


def save_state(
    directory: Path, engine: Engine, reference: PreTrainedModel | None = None, value: Engine | None = None
) -> None:
    """Write weights, optimizer moments, the same of PPO's value model, the reference's weights, and what exactness depends on.

    All ranks call it, rank 0 writes. The tensors are whole, so that their form depends on no engine and no ZeRO stage.
    """
    engines = {"": engine} | ({"value_": value} if value else {})
    tensors = {name: (e.master_parameters(), e.optimizer_tensors()) for name, e in engines.items()}
    if ranks.rank():
        return
    for name, (weights, moments) in tensors.items():
        save_file(weights, directory / f"{name}model.safetensors")
        save_file(moments, directory / f"{name}optimizer.safetensors")
    if reference is not None:
        save_file(_parameters(reference), directory / "reference.safetensors")
    state = {f"{name}steps_taken": e.steps_taken for name, e in engines.items()} | environment()
    (directory / "state.json").write_text(json.dumps(state, indent=1))


def load_state(
    directory: Path, engine: Engine, reference: PreTrainedModel | None = None, value: Engine | None = None
) -> None:
    """Continue from :func:`save_state`. Raises :class:`ConfigError` where the continuation could not be exact."""
    state = json.loads((directory / "state.json").read_text())
    now = environment()
    if state["threads"] != now["threads"]:
        raise ConfigError(
            f"run.threads: the checkpoint was made with {state['threads']} threads, this run has {now['threads']}; "
            "the order of additions would differ. Use the same number"
        )
    if state.get("ranks", 1) != now["ranks"]:
        raise ConfigError(
            f"run.engine.ranks: the checkpoint was made by {state.get('ranks', 1)} ranks, this run has {now['ranks']}; "
            "the order of additions would differ. Use the same number"
        )
    if reference is not None:
        _copy_into(reference, load_file(directory / "reference.safetensors"))
    for name, each in {"": engine, "value_": value}.items():
        if each is not None:
            each.load_weights(load_file(directory / f"{name}model.safetensors"))
            each.load(load_file(directory / f"{name}optimizer.safetensors"), state[f"{name}steps_taken"])


def environment() -> dict[str, str | int]:
    """What bit-exactness depends on besides the inputs."""
    return {"threads": torch.get_num_threads(), "ranks": ranks.world_size(), "torch": torch.__version__}


def _parameters(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    return {name: p.detach().contiguous() for name, p in model.named_parameters()}


@torch.no_grad()
def _copy_into(model: PreTrainedModel, tensors: dict[str, torch.Tensor]) -> None:
    for name, parameter in model.named_parameters():
        parameter.copy_(tensors[name])
