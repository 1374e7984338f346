"""Start models, looked at in a supervised child: no file of theirs is opened, no template rendered in this process."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from r1flow.components.core.digest import directory_digest
from r1flow.components.processes.preload import ForkServer
from r1flow.components.programs.admission import admit_context, admit_sampler
from r1flow.components.programs.inspect_model import Limits, ModelFacts
from r1flow.components.recipe.graph import ADDRESS, Graph
from r1flow.components.recipe.kinds import IMPLIED
from r1flow.components.sampling.vllm_families import UNSERVED
from r1flow.components.store.artifact import find, read_manifest
from r1flow.components.store.models import is_remote, locate_model
from r1flow.tasks.declare import imported
from r1flow.tasks.looking import look
from r1flow.tasks.session import current_session

PROGRAM = "r1flow.components.programs.inspect_model"
HOURS = 12.0
"""With all downloads: 200 GB at 5 MB/s."""
LIMITS = Limits()


def inspect(
    models: Mapping[str, Mapping[str, Any]],
    *,
    work: Path,
    server: ForkServer | None,
    limits: Limits = LIMITS,
    cache: Path | None = None,
    cancelled: threading.Event | None = None,
) -> dict[str, ModelFacts]:
    """What the start ``models`` are, by name; each is given as ``source``, ``revision``, ``prompt`` and ``dtype``.

    A hub's model is downloaded. Raises :class:`ModelError` or ``ConfigError``, naming the setting and the fix, for a model that
    cannot be used or goes past the ``limits``; :class:`StageFailed` where it was cancelled or nothing could be started.
    ``work`` is a directory for this alone; it is kept where looking failed, with the log.
    """
    spec = {
        "models": {name: dict(model) for name, model in models.items()},
        "cache": str(cache) if cache else None,
    }
    found = look(PROGRAM, spec, work=work, server=server, limits=limits, timeout_s=HOURS * 3600, cancelled=cancelled)
    return {name: ModelFacts.model_validate(facts) for name, facts in found.items()}


def know_models(graph: Graph) -> None:
    """Tell the run's place what the start models of ``graph`` are: digests, and sizes where something depends on them.

    ConfigError where a stage or a suite asks for completions that leave no room for a prompt in its model's positions, and where
    vLLM is to sample a model that it cannot serve.

    A directory's bytes are its identity. What the store has already is not looked at again; a hub's model without a commit
    always is, for its name can come to mean other files.
    """
    run = current_session()
    digests: dict[str, str] = {}
    sizes: dict[str, int] = {}
    positions: dict[str, int | None] = {}
    unserved: dict[str, str] = {}
    unknown: dict[str, dict[str, Any]] = {}
    for name, model in run.recipe.models.items():
        if name not in graph.nodes or ADDRESS.fullmatch(model.source):
            continue
        if not is_remote(model.source):
            directory = locate_model(model.source, setting=f"models.{name}.source")
            digests[name] = directory_digest(directory, run.settings.cache)
            address = imported(model, digests[name]).fingerprint()
            if (ref := find(run.store, IMPLIED["import"].artifact, address)) is not None:
                told = read_manifest(run.store, ref).metrics
                sizes[name], positions[name] = int(told.get("parameters") or 0), int(told.get("positions") or 0) or None
                if told.get(UNSERVED):
                    unserved[name] = "its family or its heads are none of those in ARCHITECTURE.md, Model families"
                continue
        unknown[name] = model.model_dump(mode="json", include={"source", "revision", "dtype", "prompt"})
    if unknown:
        work, cache = run.settings.work("inspection", run.run_id), run.settings.cache
        seen = inspect(unknown, work=work, server=run.server(), cache=cache, cancelled=run.cancelled)
        digests |= {name: facts.digest for name, facts in seen.items()}
        sizes |= {name: facts.parameters for name, facts in seen.items()}
        positions |= {name: facts.positions for name, facts in seen.items()}
        unserved |= {name: facts.unserved for name, facts in seen.items() if facts.unserved}
    admit_context(run.recipe, graph, {name: bound for name, bound in positions.items() if bound is not None})
    admit_sampler(run.recipe, graph, run.place.device, unserved)
    run.place = run.place.knowing(digests, sizes, unserved)
