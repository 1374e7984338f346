"""What a recipe's start models are made of, from config.json or header alone: known, kept from before, or counted in a child."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from r1flow.components.core.families import CONFIG
from r1flow.components.core.gguf import SUFFIX
from r1flow.components.costs.counts import config_digest, decoder_from, file_digest, kept_count
from r1flow.components.costs.decoder import Decoder
from r1flow.components.costs.preset import models_of
from r1flow.components.processes.preload import ForkServer
from r1flow.components.programs.inspect_model import Limits
from r1flow.components.recipe.graph import ADDRESS
from r1flow.components.recipe.recipe import Recipe
from r1flow.components.store.models import is_remote, read_config
from r1flow.tasks.looking import look

PROGRAM = "r1flow.components.programs.count_model"
LIMITS = Limits()
CHILD_S = 600.0


@dataclass(frozen=True)
class Counted:
    """Decoders by start model, and why the others have none."""

    models: dict[str, Decoder] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)


def count_models(recipe: Recipe, cache: Path, *, server: ForkServer | None = None, limits: Limits = LIMITS) -> Counted:
    """The start models of ``recipe``.

    A shape in the recipe and a shipped model need nobody; a directory's config.json that was counted before is read from
    ``cache``, and so is a ``.gguf`` file's count. For the rest a child builds the models on the meta device; of a hub's or an
    object store's model it fetches config.json. Raises
    :class:`ModelError`, naming the setting, for a config that describes no model.
    """
    found = Counted(models_of(recipe))
    asked: dict[str, dict[str, Any]] = {}
    for name, model in recipe.models.items():
        if name in found.models:
            continue
        path = Path(model.source).expanduser()
        whole = path.suffix == SUFFIX and not path.is_dir()
        config = path if whole else path / CONFIG
        if ADDRESS.fullmatch(model.source):
            found.unknown[name] = "an artifact: its manifest says how many (r1 show)"
        elif is_remote(model.source):
            asked[name] = model.model_dump(include={"source", "revision"})
        elif not config.is_file():
            found.unknown[name] = f"there is no {config}"
        elif (
            kept := kept_count(cache, file_digest(path) if whole else config_digest(read_config(config)))
        ) is not None:
            found.models[name] = kept
        else:
            asked[name] = {"source": str(path.resolve()), "revision": None}
    if asked:
        with tempfile.TemporaryDirectory() as work:
            spec = {"models": asked, "cache": str(cache.resolve())}
            told = look(PROGRAM, spec, work=Path(work) / "count", server=server, limits=limits, timeout_s=CHILD_S)
        for name, fields in told.items():
            if "unknown" in fields:
                found.unknown[name] = fields["unknown"]
            else:
                found.models[name] = decoder_from(fields)
    return found
