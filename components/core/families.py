"""Which architectures can be served at all, from a config.json alone."""

import inspect
import json
from typing import TYPE_CHECKING

from r1flow.components.core.errors import ModelError

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

CONFIG = "config.json"
CACHE = "past_key_values"
"""What a forward pass takes where it remembers by keys and values, or by transformers' cache of another kind (Qwen3-Next)."""


def described(config: bytes) -> "PretrainedConfig":
    """The causal language model that the bytes of a config.json describe; none of its own code is run.

    ModelError where they describe none, and for one that cannot be served (:func:`require_served`).
    """
    from transformers import CONFIG_MAPPING

    try:
        told = json.loads(config)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise ModelError(f"{CONFIG} is not a JSON object; fetch or save the model again")
    family = told.pop("model_type", None)
    told.pop("auto_map", None)
    if not isinstance(family, str) or family not in CONFIG_MAPPING:
        raise ModelError(f"{CONFIG}: transformers knows no model_type {family!r}; check it, or give another model")
    found: PretrainedConfig = CONFIG_MAPPING[family].from_dict(told)
    require_served(found)
    return found


def require_served(config: "PretrainedConfig") -> "type[PreTrainedModel]":
    """The class that computes the model of ``config``.

    ModelError, naming the family, where transformers has no causal language model of it, and where its memory is no cache, so
    that nothing here can sample it: RWKV, Mamba, xLSTM, and models from before there were caches.
    """
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING

    family = config.model_type
    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise ModelError(f"models of type {family!r} are no causal language models; give one that continues a text")
    found: type[PreTrainedModel] = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
    if CACHE not in inspect.signature(found.forward).parameters:
        raise ModelError(
            f"models of type {family!r} cannot be sampled: {found.__name__} has no cache of keys and values ({CACHE}); give a "
            "model with attention"
        )
    return found
