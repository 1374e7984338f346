"""From a node of the graph to the work that computes it. Nothing is computed here; sources and models are identified."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from r1flow.components.data.sources import format_of, generator_version, source_digest
from r1flow.components.recipe.graph import Node
from r1flow.components.recipe.kinds import IMPLIED, STAGES
from r1flow.components.recipe.kinds import source_digest as kind_digest
from r1flow.components.recipe.models import ModelConfig
from r1flow.components.recipe.origins import (
    Origin,
    addresses,
    dataset_origins,
    need_addresses,
    shown,
    suite_origins,
    with_addresses,
)
from r1flow.components.recipe.recipe import Recipe
from r1flow.components.recipe.references import with_roles
from r1flow.components.recipe.stages import RateStage, RlStage
from r1flow.components.rewards.custom import reward_digests
from r1flow.tasks.place import Place
from r1flow.tasks.session import StageOutcome
from r1flow.tasks.work import Work

Given = Mapping[str, StageOutcome]
"""What the nodes before have given, by their names, and what a node names by its address."""
FOR_PEOPLE = {"kind", "title", "prompt", "language"}
"""Of a stage's fields; prompt and language enter by what its kind reads."""
OBJECTIVE = {
    "algorithm", "normalization", "clip_low", "clip_high", "dual_clip", "kl_weight", "kl_estimator", "kl_unbiased",
    "entropy_weight", "correction", "correction_bounds", "temperature", "max_tokens", "mini_batches",
    "prompts_per_step", "samples_per_prompt", "micro_tokens",
}  # fmt: skip
"""The settings of an RL stage that its gradient depends on, and those that make them a valid section."""


def declare(recipe: Recipe, node: Node, given: Given, place: Place) -> Work:
    """The work of ``node``. ``given`` holds an outcome for each of its inputs."""
    if node.name in recipe.models:
        work = imported(recipe.models[node.name], place.digests[node.name], node.name)
    else:
        work = _BY_KIND.get(node.kind.name, _stage)(recipe, node, given)
    inputs = {role: given[name].ref for role, name in node.inputs.items()}
    beside = {**place.beside(recipe), **work.place}
    if place.device == "cuda" and node.kind.name in STAGES and "micro_tokens" in work.config:
        # Memory alone: CUDA promises no order of additions.
        config = dict(work.config)
        work = replace(work, config=config)
        beside["config"] = {"micro_tokens": config.pop("micro_tokens")}
    asked = node.subject if node.subject in recipe.models or node.subject in recipe.stages else node.name
    return replace(
        work,
        inputs=inputs,
        settings=place.settings(node.kind, recipe, asked) | dict(work.settings),
        place=beside,
        seed=recipe.seed if "seed" in node.kind.reads else 0,
    )


def _stage(recipe: Recipe, node: Node, given: Given) -> Work:
    """A stage that the recipe names: its settings, names replaced by roles."""
    stage = recipe.stages[node.name]
    config, _ = with_roles(stage, exclude=FOR_PEOPLE)
    if digest := kind_digest(stage):
        config["kind"] = {"name": stage.kind, "sha256": digest}
    notes = {"made_from": {role: f"{given[n].ref.kind}/{given[n].ref.fingerprint}" for role, n in node.inputs.items()}}
    return Work(node.name, node.kind, config, total_steps=stage.total_steps, notes=notes)


def _rl(recipe: Recipe, node: Node, given: Given) -> Work:
    """Reinforcement learning; what was certified before is told to whoever looks at its run."""
    stage = recipe.stages[node.name]
    assert isinstance(stage, RlStage)
    work = _stage(recipe, node, given)
    config, notes = dict(work.config), dict(work.notes)
    if stage.rewards.custom:
        config["reward_sources"] = reward_digests(stage.rewards.custom)
    if "difficulty.rates" in node.inputs:
        config["difficulty"] = {**config["difficulty"], "rates": "difficulty.rates"}
        notes["rates"] = given[node.inputs["difficulty.rates"]].ref.kind
    gradient = given[f"{node.name}/gradient"]
    proved = [given[name] for role, name in node.inputs.items() if role.startswith("certificate.")]
    tags = {f"certificate.{name}": str(value) for outcome in proved for name, value in outcome.metrics.items()}
    tags |= {f"gradient.{name}": f"{float(value or 0):.1e}" for name, value in gradient.metrics.items()}
    return replace(work, config=config, tags=tags, notes=notes)


def _rate(recipe: Recipe, node: Node, given: Given) -> Work:
    """A stage of its own, or what the ``difficulty`` of an RL stage asks its start model beforehand."""
    if node.name in recipe.stages:
        return _stage(recipe, node, given)
    stage = recipe.stages[node.subject]
    assert isinstance(stage, RlStage)
    assert stage.difficulty is not None
    rate = RateStage(
        model=stage.model,
        data=stage.data,
        samples=stage.difficulty.samples,
        skills=tuple(sorted(skill for skill, share in stage.mixture.items() if share)),
        max_tokens=stage.max_tokens,
        temperature=stage.temperature,
    )
    return Work(node.name, node.kind, with_roles(rate, exclude=FOR_PEOPLE)[0])


def _suites(recipe: Recipe, node: Node, given: Given) -> Work:
    """The problems of all suites; how they are asked is the evaluation's."""
    settings = {"suites": {n: {"source": s.source.model_dump(mode="json")} for n, s in recipe.suites.items()}}
    return _sources(node, settings, suite_origins(recipe.suites))


def _curate(recipe: Recipe, node: Node, given: Given) -> Work:
    """A dataset from its sources: files by their bytes, hub datasets by commit, generators by version."""
    dataset = recipe.datasets[node.name]
    settings = {"dataset": dataset.model_dump(mode="json", exclude={"title"})}
    return _sources(node, settings, dataset_origins(dataset))


def _sources(node: Node, settings: dict[str, Any], origins: Sequence[Origin]) -> Work:
    need_addresses(origins, node.name)
    found = dict(addresses(settings))
    config = {
        **with_addresses(settings, dict.fromkeys(found)),
        "formats": {key: list(format_of(uri)) for key, uri in found.items()},
        "digests": {key: source_digest(uri, setting=shown(key, node.name)) for key, uri in found.items()},
        "generators": {o.setting: generator_version(o.source) for o in origins if o.source.generator},
    }
    return Work(node.name, node.kind, config, notes={"addresses": found})


def imported(model: ModelConfig, digest: str, name: str = "import") -> Work:
    """A start model as an artifact. ``digest`` of its directory is its identity, wherever it lies and whatever it is called."""
    told = model.model_dump(mode="json", exclude={"title", "prompt", "language"})
    where = f"{model.source}@{model.revision}" if model.revision else model.source
    config = {"dtype": model.dtype, "digest": digest}
    notes = {"addresses": {"source": where}}
    return Work(name, IMPLIED["import"], config, place={"config": {"model": told}}, notes=notes)


def _certify(recipe: Recipe, node: Node, given: Given) -> Work:
    """One verifier, tested adversarially."""
    return Work(node.name, node.kind, {"verifier": node.subject}, tags={"certificate": node.subject})


def _gradient(recipe: Recipe, node: Node, given: Given) -> Work:
    """The gradient proof for the objective of an RL stage; no input of it, for it decides no result."""
    stage = recipe.stages[node.subject]
    return Work(node.name, node.kind, {"objective": stage.model_dump(mode="json", include=OBJECTIVE)})


def _evaluate(recipe: Recipe, node: Node, given: Given) -> Work:
    """A model on the suites, asked as the model is asked."""
    chosen = recipe.evaluate.suites if recipe.evaluate.suites is not None else tuple(recipe.suites)
    suites = {name: recipe.suites[name].model_dump(mode="json", exclude={"source"}) for name in chosen}
    return Work(node.name, node.kind, {"suites": suites}, total_steps=len(suites))


_BY_KIND: Mapping[str, Callable[[Recipe, Node, Given], Work]] = {
    "rl": _rl,
    "rate": _rate,
    "suites": _suites,
    "curate": _curate,
    "certify": _certify,
    "gradient": _gradient,
    "evaluate": _evaluate,
}
