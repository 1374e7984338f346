"""The promote flow on a finished run's Dev2, once per mode of its gate, with somebody who answers in Prefect. Prints JSON."""

import json
import threading
import time
from typing import Any

from r1flow.components.recipe.presets import load_recipe
from r1flow.components.recipe.settings import Settings
from r1flow.tasks.prefect_api import orchestrator


def main() -> None:
    settings = Settings()
    found: dict[str, Any] = {}
    with orchestrator(settings.home / "prefect"):
        from r1flow.flows.promote import promote
        from r1flow.tasks.session import session

        def ask(name: str, overrides: list[str], says: dict[str, Any] | None = None, *, standing: bool = True) -> None:
            recipe = load_recipe("smoke", [f"promote.r1-smoke.{each}" for each in ("model=dev2", *overrides)])
            person = threading.Thread(target=answer, args=(says,))
            if says is not None:
                person.start()
            with session(recipe, settings, standing=standing):
                found[name] = promote("r1-smoke").model_dump()
            if says is not None:
                person.join()

        human = ["mode=human"]
        ask("alone", human, standing=False)
        ask("nobody", [*human, "wait_hours=0.0005"])
        ask("declined", human, {"promote": False, "by": "Ada", "reason": "too short"})
        ask("off", ["mode=off"])
        ask("agreed", human, {"promote": True, "by": "Ada", "reason": "it reads well"})
    print(json.dumps(found))


def answer(says: dict[str, Any]) -> None:
    """Fill in the form of the flow run that waits, as the button in Prefect's UI does."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateName
    from prefect.flow_runs import resume_flow_run

    paused = FlowRunFilter(state=FlowRunFilterState(name=FlowRunFilterStateName(any_=["Paused"])))
    with get_client(sync_client=True) as client:
        while not (waiting := client.read_flow_runs(flow_run_filter=paused)):
            time.sleep(0.1)
    resume_flow_run(waiting[0].id, run_input=says)


if __name__ == "__main__":
    main()
