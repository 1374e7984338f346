"""Every deployment of prefect.yaml can be made: its flow is there, its parameters fit, its triggers are understood."""

import re
from importlib import import_module
from typing import Any

import pytest
import yaml
from prefect.cli.deploy._models import PrefectYamlModel
from prefect.cli.deploy._triggers import _initialize_deployment_triggers
from prefect.utilities.schema_tools import validate
from prefect.utilities.schema_tools.validation import ValidationError

from r1flow.components.recipe.recipe import Recipe, preset_names
from tests.runs import ROOT

RUNS = {"r1": "r1", "r1_zero": "zero_only", "tiny_base": "tiny_base", "ledger": "ledger", "curate": "curate"}
"""The flow function behind a recipe's `flow`, as `r1 run` takes it."""
DEPLOYED: list[dict[str, Any]] = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]


def _name(deployment: dict[str, Any]) -> str:
    return f"{_flow(deployment).name}/{deployment['name']}"


def _flow(deployment: dict[str, Any]) -> Any:
    path, function = deployment["entrypoint"].split(":")
    return getattr(import_module(path.removesuffix(".py").replace("/", ".")), function)


def test_prefect_reads_the_file() -> None:
    read = PrefectYamlModel.model_validate(yaml.safe_load((ROOT / "prefect.yaml").read_text()))
    assert len(read.deployments) == len(DEPLOYED)
    names = [_name(deployment) for deployment in DEPLOYED]
    assert len(set(names)) == len(names)


def test_every_flow_is_deployed() -> None:
    """Flows are found as they are written: a function below `@flow`."""
    flows = {
        (path.name, name)
        for path in (ROOT / "flows").glob("*.py")
        for name in re.findall(r"^@flow\(.*?^def (\w+)", path.read_text(), re.M | re.S)
    }
    entries = [deployment["entrypoint"].removeprefix("flows/").split(":") for deployment in DEPLOYED]
    assert {tuple(entry) for entry in entries} == flows


@pytest.mark.parametrize("deployment", DEPLOYED, ids=_name)
def test_its_parameters_are_what_its_flow_takes(deployment: dict[str, Any]) -> None:
    flow = _flow(deployment)
    parameters = deployment["parameters"]
    validate(parameters, flow.parameters.model_dump(), raise_on_error=True)
    flow.validate_parameters(parameters)
    assert deployment["work_pool"]["name"] in ("cpu", "gpu")
    if preset := parameters.get("recipe", {}).get("preset"):
        assert preset in preset_names()
        recipe = Recipe.model_validate(parameters["recipe"])
        assert recipe.preset == preset
        assert "recipe" not in deployment["tags"] or RUNS[recipe.flow] == flow.fn.__name__


@pytest.mark.parametrize("deployment", [d for d in DEPLOYED if "triggers" in d], ids=_name)
def test_its_triggers_are_understood(deployment: dict[str, Any]) -> None:
    made = _initialize_deployment_triggers(deployment["name"], deployment["triggers"])
    assert [sorted(trigger.expect) for trigger in made] == [d["expect"] for d in deployment["triggers"]]


def test_a_form_may_change_one_field_of_a_section() -> None:
    """What the preset has need not be given again; what no section has is refused."""
    from r1flow.flows.r1 import r1

    schema = r1.parameters.model_dump()
    given = {"recipe": {"preset": "smoke", "r1_zero": {"steps": 3}, "suites": {"sums": {"samples": 2}}}}
    validate(given, schema, raise_on_error=True)
    assert r1.validate_parameters(given)["recipe"].r1_zero.steps == 3
    with pytest.raises(ValidationError, match="step"):
        validate({"recipe": {"preset": "smoke", "r1_zero": {"step": 3}}}, schema, raise_on_error=True)
