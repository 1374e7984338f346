"""What a vLLM engine really multiplies by, read back out of it under the trainer's names.

Its parameters do not tell. On CPU every linear layer packs its matrix into a oneDNN or SGL handle and drops or keeps the
parameter beside it; after a reload that leaves ``lm_head.weight`` out, the parameter of a tied head holds the new values
and the packed copy still the old ones. So a matrix is read through the layer itself: its product with the identity
is exact, because every sum has one term that is not zero.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from r1flow.components.core.errors import ModelError

HEAD = "lm_head.weight"
ROWS = 512  # of the identity at a time

Shapes = Mapping[str, tuple[int, ...]]


def checkpoint_shapes(directory: Path, *, tied: bool) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors in a model directory; a tied head counts as the embedding that it is."""
    shapes: dict[str, tuple[int, ...]] = {}
    for path in sorted(directory.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            shapes |= {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    if tied:
        shapes.pop(HEAD, None)
    return shapes


def embedding(model: Any) -> str:
    """The parameter of ``model`` that rows of tokens are picked from, under the name that checkpoints have for it."""
    from vllm.model_executor.layers.vocab_parallel_embedding import (  # type: ignore[import-not-found, unused-ignore]
        ParallelLMHead,
        VocabParallelEmbedding,
    )

    tables = [n for n, m in model.named_modules() if isinstance(m, VocabParallelEmbedding)]
    return next(f"{name}.weight" for name in tables if not isinstance(model.get_submodule(name), ParallelLMHead))


def has_head(model: Any) -> bool:
    """Whether ``model`` has a module for its head, which a family that is always tied may do without."""
    return any(name == HEAD for name, _ in model.named_parameters(remove_duplicate=False))


def check_covered(model: Any, shapes: Shapes, *, tied: bool) -> None:
    """:class:`ModelError` unless the tensors of ``shapes`` are all that ``model`` has."""
    has = {name for name, _ in model.named_parameters(remove_duplicate=False)} - ({HEAD} if tied else set())
    known = set(_fused(model, shapes))
    if has != known:
        raise ModelError(
            f"vLLM serves this model with tensors that the trainer could not renew: {sorted(has ^ known)[:5]}; "
            "set run.sampler = 'transformers'"
        )


def served_tensors(model: Any, shapes: Shapes, *, tied: bool) -> Iterator[tuple[str, Tensor]]:
    """Name and values of every tensor of ``shapes`` as ``model`` serves it.

    ``lm_head.weight`` comes too where it should be tied to the embedding and differs from it.
    """
    table = embedding(model)
    for target, names in _fused(model, shapes).items():
        rows = sum(shapes[name][0] for name in names)
        values = _read(model, target, (rows, *shapes[names[0]][1:]), multiplied=target != table)
        if tied and target == table:
            head = _read(model, HEAD if has_head(model) else table, shapes[target])
            if not torch.equal(head, values):
                yield HEAD, head
        yield from zip(names, values.split([shapes[name][0] for name in names]), strict=True)


def _fused(model: Any, shapes: Shapes) -> dict[str, list[str]]:
    """vLLM's parameter -> the checkpoint's tensors that are stacked in it, in that order."""
    packed: Mapping[str, list[str]] = getattr(model, "packed_modules_mapping", {})
    stack_of = {part: stack for stack, parts in packed.items() for part in parts}
    fused: dict[str, list[str]] = {}
    for name in shapes:
        module, _, kind = name.rpartition(".")
        prefix, dot, leaf = module.rpartition(".")
        fused.setdefault(f"{prefix}{dot}{stack_of.get(leaf, leaf)}.{kind}", []).append(name)
    for target, names in fused.items():
        parts = packed.get(target.split(".")[-2], [])
        if len(names) > 1:  # one alone is stacked already
            names.sort(key=lambda name: parts.index(name.split(".")[-2]))
    return fused


def _read(model: Any, target: str, shape: tuple[int, ...], *, multiplied: bool = True) -> Tensor:
    """The values of one parameter without the rows that vLLM pads a vocabulary with.

    ``multiplied``: as a layer multiplies by them, not as rows that are picked from the parameter.
    """
    path, _, kind = target.rpartition(".")
    module = model.get_submodule(path)
    multiply = getattr(module, "cpu_linear", None)
    turned = kind == "weight" and path.rpartition(".")[2] in _columns_first(model)
    shape = shape[::-1] if turned else shape
    if kind != "weight" or len(shape) != 2 or multiply is None or not multiplied:
        values = module.get_parameter(kind).detach()[: shape[0]]
    else:
        values = _product(module, multiply, shape, next(model.parameters()).dtype)
    return values.T.contiguous() if turned else values


def _columns_first(model: Any) -> frozenset[str]:
    """The modules whose matrices a checkpoint holds transposed, which vLLM's own loader turns: GPT-2's."""
    return frozenset({"c_attn", "c_proj", "c_fc"} if type(model).__name__ == "GPT2LMHeadModel" else ())


def _product(module: Any, multiply: Any, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    columns = []
    for start in range(0, shape[1], ROWS):
        unit = torch.zeros(min(ROWS, shape[1] - start), shape[1], dtype=dtype)
        unit[:, start:].fill_diagonal_(1)
        columns.append(multiply(unit, module.weight, None)[:, : shape[0]].T)
    return torch.cat(columns, dim=1)
