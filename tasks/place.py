"""Where a run computes, resolved once: device, threads, sampler. Of it a fingerprint sees what a kind reads, and no more."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from r1flow.components.core.cuda import resolve_device
from r1flow.components.costs.parameters import count_parameters
from r1flow.components.recipe.kinds import IMPLIED, Kind
from r1flow.components.recipe.recipe import Recipe
from r1flow.components.sampling.auto import resolve_sampler

WHERE = {"rendezvous", "hostfile", "timeout_s"}
"""Of the engine's settings: where ranks meet and how long they wait decides no result."""


@dataclass(frozen=True)
class Place:
    """``device`` is cpu or cuda; ``parameters`` and ``digests`` of the start models, as far as they are known."""

    device: str
    parameters: Mapping[str, int] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    unserved: frozenset[str] = frozenset()
    """Start models that vLLM's CPU build cannot serve."""

    def knowing(
        self, digests: Mapping[str, str], parameters: Mapping[str, int], unserved: Collection[str] = ()
    ) -> "Place":
        """With more known; the shape that a recipe gives stands before what was seen."""
        return replace(
            self,
            digests={**self.digests, **digests},
            parameters={**parameters, **self.parameters},
            unserved=self.unserved | set(unserved),
        )

    def settings(self, kind: Kind, recipe: Recipe, asked: str) -> dict[str, Any]:
        """What ``kind`` reads, of the machine and of the model ``asked``.

        A CPU promises the same bits for the same threads and ranks; CUDA promises none, so there only the precision counts.
        """
        run: dict[str, Any] = {}
        if "device" in kind.reads:
            run["device"] = self.device
        if "threads" in kind.reads and self.device == "cpu":
            run["threads"] = recipe.run.threads
        if "sampler" in kind.reads:
            start = recipe.start_of(asked)
            run["sampler"] = resolve_sampler(
                recipe.run.sampler,
                device=self.device,
                num_parameters=self.parameters.get(start),
                served=start not in self.unserved,
            )
        if "engine" in kind.reads:
            engine = recipe.run.engine.model_dump(mode="json", exclude=WHERE)
            whole = self.device == "cpu" or kind is IMPLIED["gradient"]  # whose proof is about this engine and no other
            run["engine"] = engine if whole else {"dtype": engine["dtype"]}
        found: dict[str, Any] = {"run": run} if run else {}
        if "prompt" in kind.reads:
            found["prompt"] = recipe.prompt_of(asked).model_dump(mode="json")
        if "language" in kind.reads:
            found["language"] = recipe.language_of(asked).model_dump(mode="json")
        return found

    def beside(self, recipe: Recipe) -> dict[str, Any]:
        """What every program is told and no fingerprint sees."""
        return {
            "scorers": recipe.run.scorers,
            "run": {
                "device": self.device,
                "threads": recipe.run.threads,
                "engine": recipe.run.engine.model_dump(mode="json"),
            },
        }


def find_place(recipe: Recipe) -> Place:
    """The place of a run here, with the sizes that the recipe says itself."""
    shaped = {name: count_parameters(model.shape) for name, model in recipe.models.items() if model.shape is not None}
    return Place(resolve_device(recipe.run.device), shaped)
