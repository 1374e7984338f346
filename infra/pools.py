"""``python -m infra.pools``: what a Prefect server needs before anything is deployed to it. May be repeated at any time.

* a work pool for every kind of machine;
* the limit ``gpu``, whose slots are the GPUs: a stage that wants some takes them with ``concurrency("gpu", strict=True)``;
* the automation that calls a flow run crashed when its heartbeats have stopped, as after SIGKILL of a worker.
"""

from datetime import timedelta
from pathlib import Path

from prefect.automations import AutomationCore, ChangeFlowRunState, EventTrigger, Posture
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import StateType
from prefect.exceptions import ObjectAlreadyExists
from prefect.workers.process import ProcessWorker

from infra.services import POOLS

CRASHED = "r1: flow runs without a heartbeat have crashed"
HEARTBEATS_S = 540
"""Three of Prefect's heartbeats: one that is late on a busy machine is no crash."""


def main() -> None:
    """Against the server that PREFECT_API_URL names."""
    with get_client(sync_client=True) as client:
        for pool in POOLS:
            make_pool(client, pool)
        gpus = len(list(Path("/dev").glob("nvidia[0-9]*")))
        # One slot at least: a machine without a GPU runs such work on its CPU, one at a time.
        client.upsert_global_concurrency_limit_by_name("gpu", limit=max(1, gpus))
        if not client.read_automations_by_name(CRASHED):
            client.create_automation(crashed_by_silence())


def make_pool(client: SyncPrefectClient, name: str) -> None:
    """A pool of processes; one that is there, of whatever type, is left as it is."""
    template = ProcessWorker.get_default_base_job_template()
    pool = WorkPoolCreate(name=name, type="process", base_job_template=template)
    try:
        client.create_work_pool(pool)
    except ObjectAlreadyExists:
        return


def crashed_by_silence(within_s: float = HEARTBEATS_S) -> AutomationCore:
    """After a heartbeat, nothing at all of that flow run for ``within_s``. A run that has ended says so, and is left alone."""
    return AutomationCore(
        name=CRASHED,
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.*"},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=within_s),
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED, message=f"no heartbeat for {within_s:g} seconds: its process is gone"
            )
        ],
    )


if __name__ == "__main__":
    main()
