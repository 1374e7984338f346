"""Filling in the table's templates for one place, and the secrets that it needs."""

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from infra.services import SECRETS, SERVICES, Service
from r1flow.components.core.errors import ConfigError


@dataclass(frozen=True)
class Place:
    """Values for the braces of ``infra.services``; ``hosts`` and ``ports`` by the names of ports."""

    hosts: Mapping[str, str]
    ports: Mapping[str, int]
    published: Mapping[str, int]
    bind: str
    folders: Mapping[str, str]
    home: str
    checkout: str
    python: str
    weed: str
    secrets: Mapping[str, SecretStr] = field(default_factory=dict)

    def text(self, template: str, service: Service | None = None) -> str:
        """One text without secrets. KeyError where it names a secret, or something that is not in the table."""
        return self._filled(template, service, {})

    def environment(self, templates: Mapping[str, str], service: Service | None = None) -> dict[str, str]:
        """An environment, secrets filled in."""
        known = {name: value.get_secret_value() for name, value in self.secrets.items()}
        return {name: self._filled(text, service, known) for name, text in templates.items()}

    def _filled(self, template: str, service: Service | None, known: Mapping[str, str]) -> str:
        return template.format(
            at={name: f"{self.hosts[name]}:{port}" for name, port in self.ports.items()},
            host=self.hosts,
            port=self.ports,
            public={name: f"127.0.0.1:{port}" for name, port in self.published.items()},
            bind=self.bind,
            folder=self.folders[service.name] if service else "",
            home=self.home,
            checkout=self.checkout,
            python=self.python,
            weed=self.weed,
            secret=known,
        )


def port_names() -> dict[str, int]:
    """Every port of the table and its default."""
    return {name: port for service in SERVICES for name, port in service.ports.items()}


def variable(secret: str) -> str:
    """The environment variable that holds a secret of the stack."""
    return f"R1_STACK_{secret.upper()}"


def kept_secrets(path: Path) -> dict[str, SecretStr]:
    """The secrets in ``path``, lines of NAME=value that only this user may read; those that it lacks are made.

    Raises ConfigError where others may read the file.
    """
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    if lines and path.stat().st_mode & 0o077:
        raise ConfigError(
            f"{path} holds secrets and others may read it; `chmod 600 {path}`, or delete it with the stack's data"
        )
    found = dict(line.split("=", 1) for line in lines if re.fullmatch(r"[A-Z0-9_]+=.+", line))
    values = {name: found.get(variable(name)) or secrets.token_hex(20) for name in SECRETS}
    write_private(path, "".join(f"{variable(name)}={value}\n" for name, value in values.items()))
    return {name: SecretStr(value) for name, value in values.items()}


def write_private(path: Path, text: str) -> None:
    """Write ``path`` in one step, readable by this user alone."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    draft = path.with_name(path.name + ".part")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(draft, path)
