"""Every deployment of prefect.yaml can be made: its flow is there, its parameters fit, its triggers are understood."""

import copy
import re
from importlib import import_module
from typing import Any

import pytest
import yaml
from prefect.cli.deploy._models import PrefectYamlModel
from prefect.cli.deploy._triggers import _initialize_deployment_triggers
from prefect.flows import load_flow_from_entrypoint
from prefect.server.events.actions import RunDeployment
from prefect.utilities.schema_tools import validate
from prefect.utilities.schema_tools.hydration import HydrationContext, hydrate
from prefect.utilities.schema_tools.validation import ValidationError

from r1flow.components.core.errors import ConfigError
from r1flow.components.recipe.kinds import kind_of
from r1flow.components.recipe.presets import preset_names
from r1flow.components.recipe.recipe import Recipe
from r1flow.components.recipe.sweep import points
from r1flow.flows.parameters import recipe_from
from tests.runs import ROOT

DEPLOYED: list[dict[str, Any]] = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
TRIGGERED = [deployment for deployment in DEPLOYED if "triggers" in deployment]
PAYLOADS: dict[str, list[dict[str, Any]]] = {
    "r1.dataset.published": [
        {
            "uri": "file:///store/artifacts/dataset/0123456789abcdef",
            "preset": "tiny",
            "dataset": "problems",
            "set": {"seed": 5, "problems.sources": {"sum": {"generator": "tiny/sum", "size": 7}}},
        }
    ],
    "r1.data.announced": [
        {"preset": "tiny"},
        {"preset": "tiny", "dataset": "general", "set": {"general.sources.mine.uri": "s3://bucket/train.jsonl"}},
    ],
}
"""What an event of each name may carry."""


def _name(deployment: dict[str, Any]) -> str:
    return f"{_flow(deployment).name}/{deployment['name']}"


def _flow(deployment: dict[str, Any]) -> Any:
    path, function = deployment["entrypoint"].split(":")
    return getattr(import_module("r1flow." + path.removesuffix(".py").replace("/", ".")), function)


def _recipe(parameters: dict[str, Any]) -> Recipe:
    return recipe_from(parameters.get("preset"), parameters.get("set"), parameters.get("recipe"))


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
def test_prefect_loads_its_flow_from_the_file_as_a_worker_does(deployment: dict[str, Any]) -> None:
    loaded = load_flow_from_entrypoint(str(ROOT / deployment["entrypoint"]))
    assert (loaded.name, loaded.parameters) == (_flow(deployment).name, _flow(deployment).parameters)


@pytest.mark.parametrize("deployment", DEPLOYED, ids=_name)
def test_its_parameters_are_what_its_flow_takes(deployment: dict[str, Any]) -> None:
    flow = _flow(deployment)
    parameters = deployment["parameters"]
    validate(parameters, flow.parameters.model_dump(), raise_on_error=True)
    flow.validate_parameters(parameters)
    assert deployment["work_pool"]["name"] in ("cpu", "gpu")
    if "preset" in parameters:
        assert parameters["preset"] in preset_names()
        recipe = _recipe(parameters)
        assert "recipe" not in deployment["tags"] or recipe.name == deployment["name"] == parameters["preset"]
        for point in points(parameters["axes"]) if "axes" in parameters else ():
            assert _recipe({**parameters, "set": point}).graph.only(parameters["only"])
        assert "stage" not in parameters or flow.name in ("stage", kind_of(recipe.stages[parameters["stage"]]).name)
        assert parameters.get("dataset", "problems") in recipe.datasets or "dataset" not in parameters
        assert parameters.get("registered") in {None, *recipe.promote}
    else:
        assert flow.name in ("ledger", "housekeeping")


@pytest.mark.parametrize("deployment", TRIGGERED, ids=_name)
def test_its_triggers_are_understood(deployment: dict[str, Any]) -> None:
    made = _initialize_deployment_triggers(deployment["name"], deployment["triggers"])
    assert [sorted(trigger.expect) for trigger in made] == [d["expect"] for d in deployment["triggers"]]


@pytest.mark.parametrize("deployment", TRIGGERED, ids=_name)
def test_events_fill_in_what_the_flow_takes(deployment: dict[str, Any]) -> None:
    """The templates as Prefect's server fills them in, for everything that an event of that name may carry."""
    [trigger] = deployment["triggers"]
    for payload in PAYLOADS[trigger["expect"][0]]:
        given = deployment["parameters"] | _filled(trigger["parameters"], payload)
        assert (given["preset"], given["set"]) == (payload["preset"], payload.get("set", {}))
        flow = _flow(deployment)
        validate(given, flow.parameters.model_dump(), raise_on_error=True)
        recipe = _recipe(flow.validate_parameters(given))
        for name, sources in (payload.get("set") or {}).items():
            if name.endswith(".sources"):
                assert set(recipe.datasets[name.removesuffix(".sources")].sources) == set(sources)
        if flow.name == "curate":
            assert given["dataset"] == payload.get("dataset", "problems")
            assert given["dataset"] in recipe.datasets
        else:
            assert recipe.seed == payload["set"]["seed"]


def _filled(templates: dict[str, Any], payload: dict[str, Any]) -> dict[str, Any]:
    parameters = copy.deepcopy(templates)
    RunDeployment._upgrade_v1_templates(parameters)
    context = HydrationContext(raise_on_error=True, render_jinja=True, jinja_context={"event": {"payload": payload}})
    filled: dict[str, Any] = hydrate(parameters, context)
    return filled


def test_the_announced_payload_in_the_description_is_one_that_is_understood() -> None:
    [deployment] = [d for d in DEPLOYED if d["name"] == "announced"]
    [shown] = re.findall(r"--payload\s+'(\{.*?\})'`", deployment["description"])
    [trigger] = deployment["triggers"]
    given = _filled(trigger["parameters"], yaml.safe_load(shown))
    assert _recipe(given).datasets[given["dataset"]].sources["mine"].uri == "s3://bucket/train.jsonl"


def test_a_form_may_change_one_field_of_a_section() -> None:
    """What the preset has need not be given again; what no section has is refused, and so is what is no preset."""
    from r1flow.flows.pipeline import pipeline

    schema = pipeline.parameters.model_dump()
    changes = {"stages": {"r1_zero": {"steps": 3}}, "suites": {"sums": {"samples": 2}}}
    for given in ({"set": {"r1_zero.steps": 3, "suites.sums.samples": 2}}, {"recipe": changes}):
        given = {"preset": "smoke", **given}
        validate(given, schema, raise_on_error=True)
        recipe = _recipe(pipeline.validate_parameters(given))
        assert (recipe.stages["r1_zero"].steps, recipe.suites["sums"].samples) == (3, 2)
        assert recipe.suites["sums"].problems == 16
    for given in ({"set": {"r1_zero.step": 3}}, {"recipe": {"stages": {"r1_zero": {"step": 3}}}}):
        with pytest.raises(ConfigError, match=r"stages\.r1_zero\.step: unknown setting; did you mean steps\?"):
            _recipe({"preset": "smoke", **given})
    with pytest.raises(ValidationError, match="smoek"):
        validate({"preset": "smoek"}, schema, raise_on_error=True)
