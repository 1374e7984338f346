"""Two flow runs that have sent a heartbeat each: one goes on in silence, one has ended. Prints their states after a while."""

import time
from uuid import UUID

from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.events import emit_event
from prefect.states import Completed, Running, State

from infra.pools import crashed_by_silence

WITHIN_S = 10.0
LIMIT_S = 90.0


@flow
def played() -> None:
    """Never called: its runs are made by hand."""


def main() -> None:
    """The automation that the pools have, with a window of seconds."""
    with get_client(sync_client=True) as client:
        automation = crashed_by_silence(WITHIN_S)
        automation.name = "test: crashed by a short silence"
        client.create_automation(automation)
        silent, ended = run_in(client, Running()), run_in(client, Completed())
        for run in (ended, silent):
            emit_event("prefect.flow-run.heartbeat", resource={"prefect.resource.id": f"prefect.flow-run.{run}"})
        deadline = time.monotonic() + LIMIT_S
        while state_of(client, silent) == "RUNNING" and time.monotonic() < deadline:
            time.sleep(1)
        time.sleep(2 * WITHIN_S)  # as long again for the one that must not change
        print(f"silent {state_of(client, silent)}, ended {state_of(client, ended)}")


def run_in(client: SyncPrefectClient, state: State[None]) -> UUID:
    return client.create_flow_run(played, state=state).id


def state_of(client: SyncPrefectClient, run: UUID) -> str:
    state = client.read_flow_run(run).state
    return state.type.value if state else "none"


if __name__ == "__main__":
    main()
