"""Model directories: where a start model comes from, whether it can be used, loading and saving.

Only safetensors are read and no code from a model's directory is ever run.
"""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

from r1flow.components.core.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

BUILTIN_MODELS = Path(__file__).resolve().parents[1] / "data" / "tinyworld" / "models"
BUILTIN = {
    "tiny-base": BUILTIN_MODELS / "base",
    "tiny-student": BUILTIN_MODELS / "student",
}
HUB_PATTERNS = ["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt"]


def locate_model(
    source: str, revision: str | None = None, *, cache: Path | None = None, setting: str = "source"
) -> Path:
    """The local directory of ``source``: ``builtin:NAME``, a directory, or a hub id (downloaded; safetensors only).

    Raises :class:`ModelError` naming the ``setting`` or the file, and the fix.
    """
    if source.startswith("builtin:"):
        name = source.removeprefix("builtin:")
        if name not in BUILTIN:
            raise ModelError(f"{setting}: no built-in model {name!r}; there are {', '.join(sorted(BUILTIN))}")
        return check_model_directory(BUILTIN[name])
    path = Path(source).expanduser()
    if path.is_dir():
        return check_model_directory(path)
    if not is_hub_id(source):
        raise ModelError(
            f"{setting}: {source} is not a directory here; give a model directory or a hub id such as Qwen/Qwen2.5-0.5B"
        )
    return check_model_directory(_download(source, revision, cache, setting))


def is_hub_id(source: str) -> bool:
    """Whether a source is none of this machine's directories, so that its files would be fetched."""
    if source.startswith(("builtin:", ".", "~")) or source.count("/") != 1:
        return False
    path = Path(source)
    return not (path.is_absolute() or path.is_dir())


def _download(source: str, revision: str | None, cache: Path | None, setting: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(source, revision=revision, cache_dir=cache, allow_patterns=HUB_PATTERNS))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise ModelError(
            f"{setting}: hub model {source} (revision {revision or 'main'}) could not be fetched: {error}. Check the id "
            "and the network, set HF_TOKEN for a gated model, or give a local model directory"
        ) from error


def check_model_directory(directory: Path) -> Path:
    """``directory`` if it has a config, a tokenizer and safetensors weights, and no code; else :class:`ModelError`."""
    if not (directory / "config.json").is_file():
        raise ModelError(f"{directory}: config.json is missing; this is not a model directory")
    if not any((directory / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "vocab.json")):
        raise ModelError(
            f"{directory}: no tokenizer (tokenizer.json); save one beside the weights with "
            "tokenizer.save_pretrained(...)"
        )
    if not any(directory.glob("*.safetensors")):
        raise ModelError(
            f"{directory}: no *.safetensors; convert the weights with "
            "model.save_pretrained(..., safe_serialization=True)"
        )
    for name in ("config.json", "tokenizer_config.json"):
        _refuse_code(directory / name)
    return directory


def _refuse_code(path: Path) -> None:
    """transformers would ask at the terminal whether to run it."""
    if not path.is_file():
        return
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        settings = None
    if not isinstance(settings, dict):
        raise ModelError(f"{path.parent}: {path.name} is not a JSON object; fetch or save the model again")
    if "auto_map" in settings:
        raise ModelError(f"{path.parent}: {path.name} asks for code of its own (auto_map), which r1flow never runs")


def stored_parameters(directory: Path) -> int:
    """How many numbers a model's safetensors hold, from their headers alone; tied tensors are stored once."""
    from safetensors import safe_open

    total = 0
    for path in sorted(directory.glob("*.safetensors")):
        with safe_open(path, framework="numpy") as tensors:
            total += sum(math.prod(tensors.get_slice(name).get_shape()) for name in tensors.keys())  # noqa: SIM118
    return total


def load_model(directory: Path, *, dtype: str = "float32", device: str = "cpu") -> "PreTrainedModel":
    """The causal language model of ``directory``, in evaluation mode and without dropout, over its tokenizer's ids alone.

    Raises :class:`ModelError` for logits that :mod:`r1flow.components.core.head` cannot compute.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    from r1flow.components.core.head import keep_to

    disable_progress_bar()
    config = AutoConfig.from_pretrained(directory, local_files_only=True)
    for name, value in vars(config).items():
        if ("drop" in name and isinstance(value, float)) or name == "router_jitter_noise":
            setattr(config, name, 0.0)  # what is sampled without it is trained without it
    model = AutoModelForCausalLM.from_pretrained(
        directory,
        config=config,
        attn_implementation=attention_for(config),
        dtype=getattr(torch, dtype),
        local_files_only=True,
        use_safetensors=True,
    )
    keep_to(model, known_ids(load_tokenizer(directory)))
    return model.to(device).eval()


def known_ids(tokenizer: "PreTrainedTokenizerBase") -> list[int]:
    """The ids that ``tokenizer`` can read back. A model may have more: rows that round its tables up, never trained."""
    return sorted(tokenizer.get_vocab().values())


def attention_for(config: "PreTrainedConfig") -> str | None:
    """The implementation that computes attention as ``config`` defines it; None: transformers' choice.

    Torch's own function knows no cap of attention's scores (Gemma 2), and transformers leaves it out there in silence.
    """
    return "eager" if getattr(config, "attn_logit_softcapping", None) else None


def load_tokenizer(directory: Path) -> "PreTrainedTokenizerBase":
    """The tokenizer of ``directory``; it must know an end-of-sequence token. Padding falls back to it."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
    if tokenizer.eos_token_id is None:
        raise ModelError(f"{directory}: the tokenizer has no eos_token; completions would never end")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def save_model(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    directory: Path,
    weights: "Mapping[str, Tensor] | None" = None,
) -> None:
    """An ordinary Hugging Face directory: config, safetensors, tokenizer, chat template; ``weights`` for the model's own."""
    model.save_pretrained(directory, safe_serialization=True, state_dict=None if weights is None else dict(weights))
    tokenizer.save_pretrained(directory)
