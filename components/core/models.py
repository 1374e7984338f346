"""Models on this machine, a directory or a ``.gguf`` file: whether one can be used, loading and saving.

Only safetensors and GGUF are read and no code from a model's directory is ever run. Where a start model comes from is known to
``r1flow.components.store.models``.
"""

import json
import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING

from r1flow.components.core.errors import ModelError
from r1flow.components.core.families import require_served
from r1flow.components.core.filled import loading, require_described, require_filled
from r1flow.components.core.gguf import SUFFIX, gguf_config, gguf_tokenizer, load_gguf
from r1flow.components.core.gguf_header import read_header
from r1flow.components.core.round_trip import first_loss, likely_cause, num_unknown
from r1flow.components.core.weights import stored_shapes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

_log = logging.getLogger(__name__)

BUILTIN_MODELS = Path(__file__).resolve().parents[1] / "data" / "tinyworld" / "models"
BUILTIN = {
    "tiny-base": BUILTIN_MODELS / "base",
    "tiny-student": BUILTIN_MODELS / "student",
}


def check_model_directory(directory: Path) -> Path:
    """``directory`` if it has a config, a tokenizer and safetensors weights, and no code; else :class:`ModelError`."""
    if not (directory / "config.json").is_file():
        raise ModelError(f"{directory}: config.json is missing; this is not a model directory")
    if not any((directory / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "vocab.json")):
        raise ModelError(
            f"{directory}: no tokenizer (tokenizer.json); save one beside the weights with "
            "tokenizer.save_pretrained(...)"
        )
    if (directory / "adapter_config.json").exists():
        raise ModelError(f"{directory}: an adapter; merge it into its model (merge_and_unload) and save that")
    if not any(directory.glob("*.safetensors")):
        single = next((path.name for path in sorted(directory.glob(f"*{SUFFIX}"))), "")
        raise ModelError(
            f"{directory}: no *.safetensors; "
            + (
                f"give the file itself: {directory / single}"
                if single
                else "convert the weights with model.save_pretrained(..., safe_serialization=True)"
            )
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


def stored_parameters(source: Path) -> int:
    """How many numbers a model's files hold, from their headers alone, which are checked; tied tensors are stored once."""
    if source.suffix == SUFFIX:
        return read_header(source).numbers
    return sum(math.prod(shape) for shape in stored_shapes(source).values())


def check_weights(source: Path, config: "PretrainedConfig") -> None:
    """:class:`ModelError` for headers that deceive, and for files that hold less than the model that ``config`` describes."""
    if source.suffix == SUFFIX:
        read_header(source)
    else:
        require_described(config, stored_shapes(source), source)


def load_config(source: Path) -> "PretrainedConfig":
    """What ``source`` says about its architecture, which is one that can be served."""
    from transformers import AutoConfig

    if source.suffix == SUFFIX:
        config = gguf_config(source)
    else:
        with loading(source):
            config = AutoConfig.from_pretrained(source, local_files_only=True)
    try:
        require_served(config)
    except ModelError as error:
        raise ModelError(f"{source}: {error}") from error
    return config


def load_model(
    source: Path,
    *,
    dtype: str = "float32",
    device: str = "cpu",
    tokenizer: "PreTrainedTokenizerBase | None" = None,
) -> "PreTrainedModel":
    """The causal language model of ``source`` (of a ``.gguf`` file dequantised), in evaluation mode and without dropout, over
    its tokenizer's ids alone: those of ``tokenizer``, where the caller has read it already, which takes seconds of some.

    Every number is one of its files: :class:`ModelError` for a tensor that is missing, left over, of another shape or no
    number (:func:`~r1flow.components.core.filled.require_filled`), and for logits that :mod:`r1flow.components.core.head` cannot
    compute.
    """
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    from r1flow.components.core.head import keep_to, name_body

    disable_progress_bar()
    kind, config = getattr(torch, dtype), _as_defined(load_config(source))
    if source.suffix == SUFFIX:
        model, info = load_gguf(source, config, kind, attention_for(config))
    else:
        check_weights(source, config)
        with loading(source):
            model, info = AutoModelForCausalLM.from_pretrained(
                source,
                config=config,
                attn_implementation=attention_for(config),
                dtype=kind,
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are refused by name
            )
    require_filled(model, info, source)
    name_body(model)
    keep_to(model, known_ids(load_tokenizer(source) if tokenizer is None else tokenizer))
    return model.to(device).eval()


def _as_defined(config: "PretrainedConfig") -> "PretrainedConfig":
    """Without dropout and noise: what is sampled without them is trained without them."""
    for name, value in vars(config).items():
        if ("drop" in name and isinstance(value, float)) or name == "router_jitter_noise":
            setattr(config, name, 0.0)
    return config


def known_ids(tokenizer: "PreTrainedTokenizerBase") -> list[int]:
    """The ids that ``tokenizer`` can read back. A model may have more: rows that round its tables up, never trained."""
    return sorted(tokenizer.get_vocab().values())


def attention_for(config: "PretrainedConfig") -> str | None:
    """The implementation that computes attention as ``config`` defines it; None: transformers' choice.

    Torch's own function knows no cap of attention's scores (Gemma 2), and transformers leaves it out there in silence.
    """
    return "eager" if getattr(config, "attn_logit_softcapping", None) else None


def load_tokenizer(source: Path) -> "PreTrainedTokenizerBase":
    """The tokenizer of ``source``; it must give texts back, and know an end-of-sequence token. Padding falls back to that.

    Where the class that the directory names makes another tokenizer than its ``tokenizer.json`` describes, and only the latter
    gives texts back, the file counts: transformers builds some classes anew, whatever the file says.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    if source.suffix == SUFFIX:
        tokenizer = gguf_tokenizer(source)
    else:
        tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=True)
    lost = first_loss(tokenizer)
    unknown = 0 if lost else num_unknown(tokenizer)
    if (lost or unknown) and (source / "tokenizer.json").is_file():
        plain = PreTrainedTokenizerFast.from_pretrained(source, local_files_only=True, **_begins(source))
        if first_loss(plain) is None and (lost or num_unknown(plain) < unknown):
            _log.warning("%s: tokenizer.json is read as it is, for the class that is named there loses texts", source)
            tokenizer, lost = plain, None
    if lost:
        raise ModelError(f"{source}: {lost}; {likely_cause(source)}")
    if tokenizer.eos_token_id is None:
        raise ModelError(f"{source}: the tokenizer has no eos_token; completions would never end")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _begins(source: Path) -> dict[str, bool]:
    """The one thing that a class puts into a tokenizer beside its file: that texts begin with the BOS token (DeepSeek)."""
    try:
        said = json.loads((source / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {"add_bos_token": True} if isinstance(said, dict) and said.get("add_bos_token") is True else {}


def save_model(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    directory: Path,
    weights: "Mapping[str, Tensor] | None" = None,
) -> None:
    """An ordinary Hugging Face directory: config, safetensors, tokenizer, chat template; ``weights`` for the model's own."""
    model.save_pretrained(directory, safe_serialization=True, state_dict=None if weights is None else dict(weights))
    tokenizer.save_pretrained(directory)
