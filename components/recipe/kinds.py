"""The table of kinds: of everything that is computed its settings, its program, what it takes and gives.

Flows, plan, bill, report, gate and lineage read this table and the recipe; none of them knows a stage's name. What a kind
takes stands in the annotations of its settings (:mod:`r1flow.components.recipe.references`).
"""

import difflib
import hashlib
import importlib
import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from r1flow.components.core.errors import ConfigError
from r1flow.components.recipe.references import Gives
from r1flow.components.recipe.section import Section
from r1flow.components.recipe.stages import PretrainStage, RateStage, RlStage, SelectStage, SftStage, Stage

COMPUTES = ("device", "threads", "prompt")
SAMPLES = (*COMPUTES, "sampler", "language")


@dataclass(frozen=True)
class Kind:
    """``program``: a module of components/programs. ``artifact``: what the store calls its result; ``version``: raised when that
    changes for the same settings and inputs. ``reads``: of ``seed``, ``device``, ``threads``, ``sampler``, ``engine``, ``prompt``
    and ``language`` what the program reads, and so all of them that its fingerprint sees. ``ranks``: on which of the engine's
    ranks it runs.
    """

    name: str
    program: str
    artifact: str
    version: str
    settings: type[Section] | None = None
    gives: tuple[Gives, ...] = ()
    reads: tuple[str, ...] = ()
    ranks: Literal["one", "machine", "all"] = "one"

    @property
    def needs_device(self) -> bool:
        """Whether it computes with a model, and so holds a device while it runs."""
        return "device" in self.reads


def _table(*kinds: Kind) -> Mapping[str, Kind]:
    return MappingProxyType({kind.name: kind for kind in kinds})


STAGES = _table(
    Kind("pretrain", "pretrain", "pretrained", "3", PretrainStage, ("model",), ("seed", *COMPUTES)),
    Kind("sft", "sft", "sft", "3", SftStage, ("model",), ("seed", *COMPUTES)),
    Kind("rl", "rl", "rl", "5", RlStage, ("model", "rollouts"), ("seed", *SAMPLES, "engine"), ranks="all"),
    Kind("select", "select", "selection", "3", SelectStage, ("demonstrations",), ("seed", "prompt", "language")),
    Kind("rate", "rate", "rates", "2", RateStage, ("rates",), ("seed", *SAMPLES)),
)
"""Kinds that a recipe may name."""

IMPLIED = _table(
    Kind("import", "import_model", "model", "2", gives=("model",)),
    Kind("suites", "suites", "suites", "1"),
    Kind("curate", "curate", "dataset", "3", reads=("seed",)),
    Kind("certify", "certify", "certificate", "2"),
    Kind("gradient", "certify_gradient", "gradient", "2", reads=("device", "threads", "engine"), ranks="machine"),
    Kind("evaluate", "evaluate", "evaluation", "4", reads=SAMPLES),
    Kind("ledger", "ledger", "ledger", "2"),
    Kind("report", "report", "report", "5"),
)
"""Kinds that follow from a recipe without being written."""

MODELS = ("model", "pretrained", "sft", "rl", "grpo")
"""Artifacts that hold a model; ``grpo`` is what ``rl`` was called before version 5."""
LAKES = ("rl", "grpo")
"""Artifacts that hold the rollouts of an RL stage."""


def kind_of(stage: Stage) -> Kind:
    """The table's line for a stage; of a kind of one's own what its class says."""
    if stage.kind in STAGES:
        return STAGES[stage.kind]
    own = type(stage)
    called = re.sub(r"[^a-z]+", "_", own.__name__.lower()).strip(
        "_"
    )  # as an address may read; never a kind of the table
    return Kind(stage.kind, "own", f"own_{called}"[:64], own.version, own, own.gives, own.reads)


def gives_of(settings: type[Stage]) -> tuple[Gives, ...]:
    """What a stage with these settings gives."""
    return next((kind.gives for kind in STAGES.values() if kind.settings is settings), settings.gives)


def settings_of(kind: str) -> type[Stage]:
    """The settings' class for the ``kind`` of a stage: the table's, or a class of one's own as ``module:Class``.

    Raises ValueError naming the nearest kind, or why the class cannot be had.
    """
    if kind in STAGES:
        found = STAGES[kind].settings
        assert found is not None
        assert issubclass(found, Stage)
        return found
    if ":" not in kind:
        close = difflib.get_close_matches(kind, STAGES, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(STAGES)}, and your own as module:Class"
        raise ValueError(f"no kind is called {kind!r}; {hint}" if kind else f"field required; {hint}")
    module, _, name = kind.partition(":")
    try:
        own = getattr(importlib.import_module(module), name, None)
    except Exception as error:  # a module of anybody's may raise anything while it is imported
        why = f"{type(error).__name__}: {error}"
        raise ValueError(
            f"kind {kind!r}: {module} cannot be imported ({why}); fix it, install it, or put its folder on PYTHONPATH"
        ) from error
    if not (isinstance(own, type) and issubclass(own, Stage) and callable(getattr(own, "run", None))):
        raise ValueError(
            f"kind {kind!r}: {name} is no subclass of {Stage.__module__}.Stage with a method run(self, spec)"
        )
    return own


def source_digest(stage: Stage) -> str:
    """sha256 of the module of a kind of one's own: another source is another result. Empty for the table's kinds."""
    if stage.kind in STAGES:
        return ""
    source = inspect.getsourcefile(type(stage))
    if source is None:
        raise ConfigError(f"kind {stage.kind!r}: its source cannot be found, so results of it could not be told apart")
    with open(source, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
