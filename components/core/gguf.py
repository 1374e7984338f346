"""Models in one GGUF file: config, tokenizer, dequantised weights."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from r1flow.components.core.errors import ModelError
from r1flow.components.core.filled import empty_model, loading
from r1flow.components.core.gguf_header import read_header
from r1flow.components.core.weights import listed

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

SUFFIX = ".gguf"
IN_SHAPES = {
    "attention.key_length", "attention.value_length", "expert_feed_forward_length", "expert_shared_feed_forward_length",
    "rope.dimension_count", "vocab_size",
}  # fmt: skip
"""Fields that say again what the tensors' shapes do: a config without them that is wrong does not fit."""


@contextmanager
def _alone(path: Path) -> Iterator[tuple[str, str]]:
    """Directory and name of the file, where nothing lies beside it that transformers would read too."""
    read_header(path)
    with tempfile.TemporaryDirectory(prefix="r1-gguf-") as directory, loading(path):
        (Path(directory) / f"model{SUFFIX}").symlink_to(path.resolve())
        yield directory, f"model{SUFFIX}"


def gguf_config(path: Path) -> "PretrainedConfig":
    """The config that transformers makes of the fields. :class:`ModelError` for a field that decides what the model computes and
    that transformers leaves out (scaled rotations, windows, factors): it would be another model."""
    from transformers import AutoConfig
    from transformers.integrations import GGUF_CONFIG_MAPPING

    with _alone(path) as (directory, name):
        config = AutoConfig.from_pretrained(directory, gguf_file=name, local_files_only=True)
    header, kind = read_header(path), config.model_type
    architecture = header.fields["general.architecture"]
    used = {key for one in (architecture, kind, kind.removesuffix("_text")) for key in GGUF_CONFIG_MAPPING.get(one, ())}
    ours = {name.removeprefix(f"{architecture}.") for name in header.fields if name.startswith(f"{architecture}.")}
    if left := ours - used - IN_SHAPES:
        raise _unused(path, "fields", (f"{architecture}.{name}" for name in left))
    return config


def _unused(path: Path, what: str, names: Iterable[str]) -> ModelError:
    return ModelError(f"{path}: transformers makes no use of the {what} {listed(names)}; give the model as safetensors")


def gguf_tokenizer(path: Path) -> "PreTrainedTokenizerBase":
    from transformers import AutoTokenizer

    with _alone(path) as (directory, name):
        tokenizer = AutoTokenizer.from_pretrained(directory, gguf_file=name, local_files_only=True)
    tokenizer.name_or_path = str(path)
    return tokenizer


def load_gguf(
    path: Path, config: "PretrainedConfig", dtype: "torch.dtype", attention: str | None
) -> "tuple[PreTrainedModel, dict[str, Any]]":
    """The model of ``config`` with its weights dequantised, and what ``from_pretrained`` says of how they filled it.

    The weights are taken out first and given to an ordinary model: one that transformers loads from the file itself stays
    bound to its quantisation and cannot be saved.
    """
    from transformers.modeling_gguf_pytorch_utils import TensorProcessor, get_gguf_hf_weights_map, load_gguf_checkpoint

    header = read_header(path)
    empty, stored = empty_model(config, path), header.numbers
    if (described := sum(p.numel() for p in empty.parameters())) > 2 * stored:
        raise ModelError(
            f"{path}: it holds {stored:,} numbers, its fields describe a model of {described:,}; fetch it again"
        )
    with loading(path):
        weights = load_gguf_checkpoint(path, return_tensors=True, model_to_load=empty, torch_dtype=dtype)["tensors"]
        if sum(tensor.numel() for tensor in weights.values()) < stored:
            raise _unused(
                path, "tensors", header.shapes.keys() - get_gguf_hf_weights_map(empty, TensorProcessor()).keys()
            )
        return type(empty).from_pretrained(
            None,
            config=config,
            attn_implementation=attention,
            state_dict=weights,
            dtype=dtype,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )
