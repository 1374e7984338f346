"""A kind of one's own: its class is found by the stage's ``kind``, and its method ``run`` does the work."""

from typing import Any

from r1flow.components.programs.spec import Spec
from r1flow.components.recipe.kinds import settings_of


def main(raw: dict[str, Any]) -> dict[str, Any]:
    """What ``run(spec)`` returns: metrics. Names in the settings are roles: ``spec.inputs[self.data]`` is a directory."""
    spec = Spec.model_validate(raw)
    spec.out.mkdir(parents=True, exist_ok=True)
    kind = str(spec.config["kind"]["name"])
    settings = settings_of(kind).model_validate({**spec.config, "kind": kind})
    metrics: dict[str, Any] = settings.run(spec)  # type: ignore[attr-defined]
    return metrics
