"""prefect.yaml: every flow is deployed, and every deployment would start."""

import importlib
import re
from typing import Any

import pytest
import yaml
from prefect import Flow
from prefect.client.schemas.schedules import CronSchedule

from components.config.recipe import Recipe, preset_names
from tests.docs import ROOT, page

FILE: dict[str, Any] = yaml.safe_load(page("prefect.yaml"))
DEPLOYMENTS: list[dict[str, Any]] = FILE["deployments"]


def flow_of(entrypoint: str) -> Flow[..., Any]:
    """The flow at ``flows/r1.py:r1``."""
    path, name = entrypoint.split(":")
    assert (ROOT / path).is_file(), f"{path} is not here"
    found = getattr(importlib.import_module(path.removesuffix(".py").replace("/", ".")), name)
    assert isinstance(found, Flow), f"{entrypoint} is no flow"
    return found


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda d: f"{d['entrypoint']}-{d['name']}")
def test_the_parameters_of_a_deployment_are_accepted_by_its_flow(deployment: dict[str, Any]) -> None:
    flow = flow_of(deployment["entrypoint"])
    given = deployment.get("parameters", {})
    accepted = flow.validate_parameters(given)
    if "recipe" in given:
        assert given["recipe"]["preset"] in preset_names()
        assert isinstance(accepted["recipe"], Recipe)
        assert accepted["recipe"].data is not None


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda d: f"{d['entrypoint']}-{d['name']}")
def test_the_schedules_of_a_deployment_can_be_read(deployment: dict[str, Any]) -> None:
    for schedule in deployment.get("schedules", []):
        CronSchedule(cron=schedule["cron"], timezone=schedule["timezone"])


def test_names_are_unique_per_flow() -> None:
    names = [(flow_of(d["entrypoint"]).name, d["name"]) for d in DEPLOYMENTS]
    assert len(names) == len(set(names))


def test_every_flow_is_deployed() -> None:
    modules = [importlib.import_module(f"flows.{path.stem}") for path in (ROOT / "flows").glob("*.py")]
    flows = {value.name for module in modules for value in vars(module).values() if isinstance(value, Flow)}
    assert sorted(flows - {flow_of(d["entrypoint"]).name for d in DEPLOYMENTS}) == []


def test_the_file_names_the_pinned_version_of_prefect() -> None:
    pinned = re.search(r"^prefect==(\S+)$", page("constraints.txt"), re.MULTILINE)
    assert pinned
    assert FILE["prefect-version"] == pinned[1]
