"""``python -m infra.compose > infra/compose.yaml``: the table of services as containers, for Docker Compose.

Secrets come from the environment: ``docker compose --env-file .r1/stack/secrets -f infra/compose.yaml up``; a missing one stops
compose. Every port that is published is published on loopback.
"""

import signal
import sys
from typing import Any

import yaml
from pydantic import SecretStr

from infra.place import Place, port_names, variable
from infra.services import SECRETS, SERVICES, Service

HEAD = "# Made by `python -m infra.compose > infra/compose.yaml` from infra/services.py; change it there.\n"
POSTGRES_IMAGE = "postgres:15"
OURS = {"image": "r1flow", "build": {"context": "..", "dockerfile": "infra/Dockerfile"}}
PUBLISHED = ("s3", "mlflow", "prefect")
OURS_FOLDER = "/data"


def containers() -> Place:
    """The network of the containers: every service is reached under its own name, at its default port."""
    owners = {port: service.name for service in SERVICES for port in service.ports}
    return Place(
        hosts=owners,
        ports=port_names(),
        published={name: port for name, port in port_names().items() if name in PUBLISHED},
        bind="0.0.0.0",
        folders={service.name: OURS_FOLDER for service in SERVICES},
        home=f"{OURS_FOLDER}/r1",
        checkout="/app",
        python="python",
        weed="/usr/local/bin/weed",
        secrets={name: SecretStr(f"${{{variable(name)}:?}}") for name in SECRETS},
    )


def compose() -> dict[str, Any]:
    """The whole file."""
    place = containers()
    volumes = {service.name: {} for service in SERVICES if service.ready}
    return {"name": "r1flow", "services": {s.name: container(s, place) for s in SERVICES}, "volumes": volumes}


def container(service: Service, place: Place) -> dict[str, Any]:
    """One service; PostgreSQL has an image of its own, all others run in the image of this repository."""
    described = _postgres(place) if service.name == "postgres" else _ours(service, place)
    if service.needs:
        described["depends_on"] = {name: {"condition": _condition(name)} for name in service.needs}
    ports = [place.ports[name] for name in service.ports if name in PUBLISHED]
    if ports:
        described["ports"] = [f"127.0.0.1:{port}:{port}" for port in ports]
    if service.ready:
        described["stop_signal"] = (service.gently or signal.SIGTERM).name
        described["stop_grace_period"] = f"{service.grace_s:g}s"
        described["restart"] = "unless-stopped"
    return described


def _ours(service: Service, place: Place) -> dict[str, Any]:
    described: dict[str, Any] = {
        **OURS,
        "command": [place.text(part, service) for part in service.command],
        "environment": place.environment(service.environment, service),
    }
    if service.ready:
        probe = ["CMD", "python", "-m", "r1flow.components.processes.probe", place.text(service.ready)]
        described["healthcheck"] = _healthcheck(probe)
        described["volumes"] = [f"{service.name}:{OURS_FOLDER}"]
    return described


def _postgres(place: Place) -> dict[str, Any]:
    return {
        "image": POSTGRES_IMAGE,
        "environment": place.environment({"POSTGRES_USER": "r1", "POSTGRES_PASSWORD": "{secret[postgres]}"}),
        "healthcheck": _healthcheck(["CMD", "pg_isready", "-U", "r1"]),
        "volumes": ["postgres:/var/lib/postgresql/data"],
    }


def _healthcheck(test: list[str]) -> dict[str, Any]:
    return {"test": test, "interval": "5s", "timeout": "10s", "retries": 36}


def _condition(name: str) -> str:
    server = next(service for service in SERVICES if service.name == name).ready
    return "service_healthy" if server else "service_completed_successfully"


class _Plain(yaml.SafeDumper):
    """What is the same in two services is written twice, and can be read without looking it up."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def text() -> str:
    """What ``infra/compose.yaml`` has to be."""
    return HEAD + yaml.dump(compose(), Dumper=_Plain, sort_keys=False, width=140)


if __name__ == "__main__":
    sys.stdout.write(text())
