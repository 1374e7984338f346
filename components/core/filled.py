"""Whether a model is what its files hold: transformers fills what is missing with random numbers, and says so in a log.

The rule for heads: one that the config ties to the embedding may be left out, or be stored equal to it; one that the config does
not tie must be stored.
"""

import logging
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from r1flow.components.core.errors import ModelError, UserError
from r1flow.components.core.weights import listed

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

BUFFERS = re.compile(r"(^|\.)(inv_freq|position_ids|masked_bias|cos_cached|sin_cached)$|\.(attn|attention)\.bias$")
"""What older versions of transformers stored though the config decides it: rotary tables, positions, causal masks."""


@contextmanager
def loading(source: Path) -> Iterator[None]:
    """What transformers raises on files that it cannot make a model of is a :class:`ModelError` that names ``source``.

    Its report of what it filled in at random is not shown: such a model is refused.
    """
    log = logging.getLogger("transformers.modeling_utils")
    log.addFilter(_no_warning)
    try:
        yield
    except (UserError, MemoryError):
        raise
    except Exception as error:  # libraries raise what they like on a stranger's files
        raise ModelError(f"{source}: transformers cannot load it: {type(error).__name__}: {error}"[:2000]) from error
    finally:
        log.removeFilter(_no_warning)


def _no_warning(record: logging.LogRecord) -> bool:
    return record.levelno > logging.WARNING


def empty_model(config: "PretrainedConfig", source: Path) -> "PreTrainedModel":
    """The model that ``config`` describes, without any numbers."""
    import torch
    from transformers import AutoModelForCausalLM

    with loading(source), torch.device("meta"):
        return AutoModelForCausalLM.from_config(config)


def require_described(config: "PretrainedConfig", shapes: Mapping[str, tuple[int, ...]], source: Path) -> None:
    """Refuse, before any weight is read, files with fewer numbers than the model of ``config``, or a prefix before all names.

    Files of some families have other names than the model, or each expert for itself, but no fewer numbers. So this
    refuses what is certain; :func:`require_filled` looks at every tensor, once they are loaded.
    """
    from transformers.core_model_loading import revert_weight_conversion

    if getattr(config, "quantization_config", None):
        return  # packed: several numbers in one
    model = empty_model(config, source)
    base = f"{model.base_model_prefix}."
    known = set(shapes) | {base + name for name in shapes}
    absent = re.compile("|".join(model._keys_to_ignore_on_load_missing or ()) or "(?!)")
    needed = {name: p.numel() for name, p in model.named_parameters() if not absent.search(name)}
    missing = {name for name in needed if name not in known}
    if missing:
        with loading(source):
            in_files = revert_weight_conversion(model, dict(model.named_parameters()))
        missing = min(missing, {name for name in in_files if name not in known and not absent.search(name)}, key=len)
    if len(missing) >= len(needed) and (prefix := _common_prefix(missing, set(shapes))) not in ("", base):
        raise _prefixed(prefix, set(shapes), source)
    if missing and sum(needed.values()) > sum(math.prod(shape) for shape in shapes.values()):
        raise _missing(model, missing, source)


def require_filled(model: "PreTrainedModel", info: Mapping[str, Any], source: Path) -> None:
    """Refuse a model that its files have not filled, number for number.

    ``info`` is what ``from_pretrained(..., output_loading_info=True)`` returns beside the model. Refused, with their names:
    tensors that are missing, that the model has no place for (old buffers apart, see :data:`BUFFERS`), of another shape than
    the config says, with NaN or infinity; and heads against the rule.
    """
    missing = set(info["missing_keys"])
    derived = {name for name, _ in model.named_buffers()} - model.state_dict().keys()
    unexpected = {name for name in info["unexpected_keys"] if name not in derived and not BUFFERS.search(name)}
    if missing and unexpected and (prefix := _common_prefix(missing, unexpected)):
        raise _prefixed(prefix, unexpected, source)
    if missing:
        raise _missing(model, missing, source)
    if unexpected:
        raise ModelError(
            f"{source}: the model has no place for {listed(unexpected)}; correct config.json, or save the model without them"
        )
    if info["mismatched_keys"]:
        shapes = (f"{name} is {list(stored)}, not {list(shape)}" for name, stored, shape in info["mismatched_keys"])
        raise ModelError(f"{source}: shapes are not those of config.json: {listed(shapes)}; correct it, or the weights")
    _require_numbers(model, source)
    _require_ties(model, source)


def _common_prefix(missing: set[str], stored: set[str]) -> str:
    """What stands before a name of the model's in every one of ``stored``; empty where that is not what is wrong."""
    first = min(stored, default="")
    name = max((name for name in missing if first.endswith(name)), key=len, default="")
    prefix = first.removesuffix(name) if name else ""
    return prefix if all(each.startswith(prefix) for each in stored) else ""


def _prefixed(prefix: str, names: set[str], source: Path) -> ModelError:
    return ModelError(
        f"{source}: all names begin with {prefix[:200]!r}, which is not the model's: {listed(names)}; save the weights without it"
    )


def _missing(model: "PreTrainedModel", missing: set[str], source: Path) -> ModelError:
    tied = getattr(model.config.get_text_config(), "tie_word_embeddings", False)
    if missing <= set(model._tied_weights_keys or {}) and not tied:
        fix = "store the head, or have config.json tie it to the embedding (tie_word_embeddings)"
    else:
        fix = "fetch or save the model again"
    return ModelError(f"{source}: missing tensors: {listed(missing)}; {fix}")


def _require_numbers(model: "PreTrainedModel", source: Path) -> None:
    import torch

    numeric = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
    once = {kept.data_ptr(): (name, kept) for name, kept in model.state_dict().items() if kept.dtype in numeric}
    if broken := {
        name for name, kept in once.values() if kept.numel() and not torch.stack(kept.aminmax()).isfinite().all()
    }:
        raise ModelError(f"{source}: NaN or infinity in {listed(broken)}; fetch or save the model again")


def _require_ties(model: "PreTrainedModel", source: Path) -> None:
    for head, embedding in model.get_expanded_tied_weights_keys(all_submodels=True).items():
        if model.get_parameter(head) is not model.get_parameter(embedding):
            raise ModelError(
                f"{source}: config.json ties {head} to {embedding} (tie_word_embeddings), but both are stored and differ; "
                "set it to false, or store one of them"
            )
