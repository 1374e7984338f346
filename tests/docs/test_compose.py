"""infra/compose.yaml is made from the table of services, and the table keeps its own rules."""

import string
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra import compose
from infra.services import SECRETS, SERVICES, USER, Service
from tests.docs import ROOT, page

FILE: dict[str, Any] = yaml.safe_load(page("infra/compose.yaml"))


def test_the_file_is_what_the_table_says() -> None:
    assert page("infra/compose.yaml") == compose.text(), "run `python -m infra.compose > infra/compose.yaml`"


def test_every_service_needs_what_stands_above_it() -> None:
    for number, service in enumerate(SERVICES):
        assert set(service.needs) <= {other.name for other in SERVICES[:number]}, service.name


@pytest.mark.parametrize("service", SERVICES, ids=lambda s: s.name)
def test_no_secret_stands_in_a_command_line(service: Service) -> None:
    texts = [*service.command, service.ready, service.page, *service.environment]
    assert [
        text for text in texts for part in string.Formatter().parse(text) if (part[1] or "").startswith("secret")
    ] == []


def test_every_secret_is_used_and_none_is_written_down() -> None:
    environments = [*(s.environment for s in SERVICES), USER]
    used = {part[1] for e in environments for value in e.values() for part in string.Formatter().parse(value)}
    assert {f"secret[{name}]" for name in SECRETS} <= used
    for name, service in FILE["services"].items():
        for variable, value in service.get("environment", {}).items():
            if any(word in variable for word in ("PASSWORD", "SECRET", "AUTH_STRING", "KEY")) and not variable.endswith(
                "KEY_ID"
            ):
                assert "${R1_STACK_" in value, f"{name}: {variable}"


def test_every_published_port_is_published_on_loopback() -> None:
    published = [port for service in FILE["services"].values() for port in service.get("ports", [])]
    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_a_container_waits_for_what_it_needs() -> None:
    for service in SERVICES:
        waits = FILE["services"][service.name].get("depends_on", {})
        assert set(waits) == set(service.needs)
        for name, condition in waits.items():
            job = not next(other for other in SERVICES if other.name == name).ready
            assert condition["condition"] == ("service_completed_successfully" if job else "service_healthy")


def test_the_image_holds_the_checkout_with_the_links_of_the_package() -> None:
    """Deployments load `flows/...` from the checkout, and imports read `r1flow.flows`: a link that a copy must keep."""
    assert "WORKDIR /app\nCOPY . .\n" in page("infra/Dockerfile")
    ignored = [line for line in page("infra/Dockerfile.dockerignore").splitlines() if not line.startswith("#")]
    links = {path.name: path for path in (ROOT / "r1flow").iterdir() if path.is_symlink()}
    assert set(links) == {"components", "flows", "tasks"}
    for name, link in links.items():
        assert link.readlink() == Path("..") / name  # leads to the same place in an image
        for path in (name, f"r1flow/{name}", f"{name}/__init__.py"):
            assert [pattern for pattern in ignored if fnmatch(path, pattern)] == []
