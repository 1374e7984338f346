"""The processes of test_promotions, forked from one that has loaded MLflow.

    python -m tests.faults.promoters STORE MLFLOW PROCESSES ROUNDS

In each round all of them read the log, wait for one another, promote a version of their own and show the log in MLflow.
Prints as JSON, per round, what each process met and where the alias pointed afterwards.
"""

import hashlib
import json
import multiprocessing
import sys
from typing import Any

from mlflow.tracking import MlflowClient

from r1flow.components.core.errors import PromotionConflict
from r1flow.components.store.manifest import ArtifactRef
from r1flow.components.store.objects import open_store
from r1flow.components.tracking.promotions import append_promotion, promotions
from r1flow.components.tracking.registry import Registry

MODEL = "contested"
WAIT_S = 240


def made_up(kind: str, name: str) -> ArtifactRef:
    digest = hashlib.sha256(name.encode()).hexdigest()
    return ArtifactRef(kind=kind, fingerprint=digest, uri=f"s3://b/{kind}/{name}", manifest_sha256=digest)


def compete(store_uri: str, mlflow_uri: str, name: str, rounds: int, barrier: Any, outcomes: Any) -> None:
    store, registry = open_store(store_uri), Registry(mlflow_uri)
    for number in range(rounds):
        version, evaluation = made_up("model", f"{name}-{number}"), made_up("evaluation", name)
        seen = promotions(store, MODEL)
        barrier.wait(WAIT_S)
        try:
            outcome = append_promotion(store, MODEL, version, evaluation, {"by": name}, after=seen, by=name).number
        except PromotionConflict:
            outcome = 0
        registry.project(store, MODEL)
        outcomes.put((name, outcome))
        barrier.wait(WAIT_S)  # all have shown the log
        barrier.wait(WAIT_S)  # the alias has been looked at


def main(store_uri: str, mlflow_uri: str, processes: int, rounds: int) -> None:
    fork = multiprocessing.get_context("fork")
    barrier, outcomes = fork.Barrier(processes + 1), fork.Queue()
    arguments = [(store_uri, mlflow_uri, f"p{number}", rounds, barrier, outcomes) for number in range(processes)]
    racers = [fork.Process(target=compete, args=each, daemon=True) for each in arguments]
    for racer in racers:
        racer.start()
    client = MlflowClient(mlflow_uri, registry_uri=mlflow_uri)
    report = []
    for _ in range(rounds):
        barrier.wait(WAIT_S)
        met = dict(outcomes.get(timeout=WAIT_S) for _ in racers)
        barrier.wait(WAIT_S)
        report.append({"met": met, "alias": client.get_model_version_by_alias(MODEL, "champion").source})
        barrier.wait(WAIT_S)
    for racer in racers:
        racer.join(WAIT_S)
    print(json.dumps(report))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
