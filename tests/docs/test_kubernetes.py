"""infra/k8s/job.json is a base job template that Prefect's Kubernetes worker takes."""

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import jsonschema
import prefect.server.api
import yaml
from prefect.server.schemas.actions import validate_base_job_template
from prefect.utilities.templating import apply_values, find_placeholders

from tests.docs import page

TEMPLATE: dict[str, Any] = json.loads(page("infra/k8s/job.json"))
PROPERTIES: dict[str, Any] = TEMPLATE["variables"]["properties"]


def shipped() -> dict[str, Any]:
    """The template that Prefect ships for its Kubernetes worker, which checks manifests against its own."""
    metadata = files(prefect.server.api) / "collections_data" / "views" / "aggregate-worker-metadata.json"
    template: dict[str, Any] = json.loads(metadata.read_text())["prefect-kubernetes"]["kubernetes"]
    return template["default_base_job_configuration"]


def rendered(**given: Any) -> dict[str, Any]:
    """The job configuration with the defaults and ``given``, as a worker fills it in."""
    jsonschema.validate(given, TEMPLATE["variables"])
    defaults = {name: one["default"] for name, one in PROPERTIES.items() if "default" in one}
    configuration: dict[str, Any] = apply_values(TEMPLATE["job_configuration"], {**defaults, **given})
    return configuration


def pod(configuration: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = configuration["job_manifest"]["spec"]["template"]["spec"]
    return spec


def paths(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf of a JSON value with its path."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(inner, f"{at}/{key}")
    else:
        yield at, value


def test_prefect_accepts_the_template_and_every_placeholder_is_a_variable() -> None:
    validate_base_job_template(TEMPLATE)
    assert {found.name for found in find_placeholders(TEMPLATE["job_configuration"])} == set(PROPERTIES)


def test_everything_that_the_worker_asks_of_a_manifest_is_there() -> None:
    ours, theirs = dict(paths(TEMPLATE["job_configuration"])), dict(paths(shipped()["job_configuration"]))
    assert set(TEMPLATE["job_configuration"]) == set(shipped()["job_configuration"])
    assert {at: value for at, value in theirs.items() if "/resources/" not in at and ours.get(at) != value} == {}


def test_gpus_are_requested_as_a_resource_and_none_by_default() -> None:
    for configuration, number in ((rendered(), 0), (rendered(gpu=8), 8)):
        resources = pod(configuration)["containers"][0]["resources"]
        assert resources["requests"]["nvidia.com/gpu"] == resources["limits"]["nvidia.com/gpu"] == number


def test_secrets_are_references() -> None:
    container = pod(rendered(secret="mine"))["containers"][0]
    assert container["envFrom"] == [{"secretRef": {"name": "mine"}}]
    assert [
        name for name in container["env"] if any(word in name for word in ("SECRET", "PASSWORD", "KEY", "AUTH"))
    ] == []


def test_a_job_has_no_path_of_its_host_and_no_right_that_it_does_not_need() -> None:
    spec = pod(rendered())
    assert [
        at for at, _ in paths(spec) if "hostPath" in at or at.endswith(("hostNetwork", "hostPID", "privileged"))
    ] == []
    assert all("emptyDir" in volume for volume in spec["volumes"])
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["containers"][0]["securityContext"]["allowPrivilegeEscalation"] is False


def test_the_service_account_of_a_job_is_the_one_beside_the_template() -> None:
    account = yaml.safe_load(page("infra/k8s/service-account.yaml"))
    assert account["metadata"]["name"] == PROPERTIES["service_account_name"]["default"]
    assert account["metadata"]["namespace"] == PROPERTIES["namespace"]["default"]
    assert pod(rendered())["serviceAccountName"] == account["metadata"]["name"]
