"""Digests of weights: equal exactly where the values are, whichever process, library or device holds them."""

import hashlib
from collections.abc import Iterable

import torch
from torch import Tensor


def tensors_digest(named_tensors: Iterable[tuple[str, Tensor]]) -> str:
    """sha256 over names, shapes, types and values, in name order."""
    digest = hashlib.sha256()
    for name, tensor in sorted(named_tensors, key=lambda item: item[0]):
        digest.update(f"{name}:{tuple(tensor.shape)}:{tensor.dtype}\n".encode())
        digest.update(_bytes(tensor))
    return digest.hexdigest()


def tensor_digests(named_tensors: Iterable[tuple[str, Tensor]]) -> dict[str, str]:
    """The digest of each tensor on its own, by name: what tells *which* one differs."""
    return {name: tensors_digest([(name, tensor)]) for name, tensor in named_tensors}


def _bytes(tensor: Tensor) -> bytes:
    """The values as bytes, minus zero as zero.

    A weight that is read back through a product has lost the sign of its zeros, and no product ever needs it.
    """
    plain = tensor.detach().cpu().contiguous()
    if plain.is_floating_point():
        plain = plain + 0.0
    raw: bytes = plain.flatten().view(torch.uint8).numpy().tobytes()
    return raw
