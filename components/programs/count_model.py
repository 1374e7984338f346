"""Counts models from their config.json (of a ``.gguf`` file from its header) alone: each is built without memory for its weights.

Of a hub's or a store's model nothing else is fetched.

A config is untrusted: no code is run for it, and each model has limits of processor time and memory, as
:mod:`r1flow.components.programs.inspect_model` has them.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from r1flow.components.core.errors import ModelError
from r1flow.components.core.families import CONFIG, described
from r1flow.components.core.gguf import SUFFIX, gguf_config
from r1flow.components.costs.counts import config_digest, file_digest, keep_count, kept_count
from r1flow.components.costs.decoder import Decoder
from r1flow.components.programs.inspect_model import FIX, Limits, limited, looking_at
from r1flow.components.store.models import fetch_config, is_remote, read_config


def main(raw: dict[str, Any]) -> dict[str, Any]:
    """By name a decoder's fields, or ``unknown``: why there is no config.json.

    ``raw`` has ``models`` (``source`` and ``revision`` by name), ``limits``, ``work`` and ``cache``. Raises :class:`ModelError`,
    naming the setting, for a config that is no model's.
    """
    work, cache, limits = Path(raw["work"]), Path(raw["cache"]), Limits.model_validate(raw["limits"])
    found = {}
    for name, model in raw["models"].items():
        with looking_at(f"models.{name}.source", FIX, work, limits):
            found[name] = _count(model["source"], model["revision"], cache, limits)
    return found


def _count(source: str, revision: str | None, cache: Path, limits: Limits) -> dict[str, Any]:
    path, config = Path(source).expanduser(), b""
    if is_remote(source):
        try:
            config = fetch_config(source, revision)
        except ModelError as error:
            return {"unknown": str(error)}
    elif path.suffix != SUFFIX:
        config = read_config(path / CONFIG)
    digest = config_digest(config) if config else file_digest(path)
    decoder = kept_count(cache, digest)
    if decoder is None:
        from r1flow.components.costs import built  # noqa: F401  (torch's import is none of the model's doing)

        with limited(limits):
            decoder = count(config or gguf_config(path).to_json_string(use_diff=False).encode())
        keep_count(cache, digest, decoder)
    return asdict(decoder)


def count(config: bytes) -> Decoder:
    """The numbers of the causal language model that ``config`` describes. ModelError where it is none that can be served."""
    import torch
    from transformers import AutoModelForCausalLM

    from r1flow.components.core.head import name_body
    from r1flow.components.costs.built import decoder_in

    settings = described(config)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(settings, trust_remote_code=False)
    name_body(model)
    decoder = decoder_in(model)
    if "auto_map" not in json.loads(config):
        return decoder
    note = "its config.json asks for code of its own (auto_map), which r1flow never runs: a run refuses it"
    return Decoder(**(vars(decoder) | {"notes": (*decoder.notes, note)}))
