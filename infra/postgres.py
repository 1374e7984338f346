"""PostgreSQL in a directory of one's own: ``python -m infra.postgres FOLDER ADDRESS PORT`` becomes the server.

The first start makes the cluster, whose superuser and password are PGUSER and PGPASSWORD. PostgreSQL refuses to run as
root; there it runs as the user ``postgres``, whom Debian's package makes.
"""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from r1flow.components.core.errors import ConfigError

USER = "postgres"
DEBIAN = Path("/usr/lib/postgresql")


def main(folder: Path, address: str, port: str) -> None:
    """Make what is missing, then exec the server. Raises ConfigError where there is no PostgreSQL, or no way to the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        _give_away(folder)
    data = folder / "data"
    if not data.exists():
        _make_cluster(data)
    # Loopback alone, or the container's own network; no socket file, whose path could be too long for the kernel.
    options = ("-D", str(data), "-c", f"listen_addresses={address}", "-p", port, "-c", "unix_socket_directories=")
    command = [*as_user(), program("postgres"), *options]
    os.chdir(folder)  # the user postgres need not be able to enter the directory that this was started in
    os.execvp(command[0], command)


def program(name: str) -> str:
    """The path of one of PostgreSQL's programs: Debian keeps them off the PATH, by version; the newest counts."""
    versions = sorted(DEBIAN.glob(f"[0-9]*/bin/{name}"), key=lambda path: float(path.parents[1].name), reverse=True)
    found = str(versions[0]) if versions else shutil.which(name)
    if found is None:
        raise ConfigError(
            f"PostgreSQL's {name} is not installed; `make system` installs it where apt and root are at hand"
        )
    return found


def as_user() -> list[str]:
    """What goes before a command where this is root. The kernel's tie to the parent is lost with the user, so it is made anew."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups", "--pdeathsig=QUIT", "--"]


def _give_away(folder: Path) -> None:
    """Make ``folder`` the database user's, who must be able to reach it."""
    try:
        user = pwd.getpwnam(USER)
    except KeyError:
        raise ConfigError(f"there is no user {USER}; Debian's package postgresql makes it (`make system`)") from None
    closed = [parent for parent in folder.resolve().parents if not parent.stat().st_mode & 0o001]
    if closed:
        raise ConfigError(
            f"the user {USER} cannot enter {closed[-1]}, and PostgreSQL does not run as root; set R1_HOME to a directory "
            "outside of it, such as /var/lib/r1flow"
        )
    os.chown(folder, user.pw_uid, user.pw_gid)
    folder.chmod(0o700)


def _make_cluster(data: Path) -> None:
    """initdb, in one step: a directory that is there is whole."""
    draft = data.with_name("data.part")
    subprocess.run([*as_user(), "rm", "-rf", str(draft)], check=True, timeout=60)
    with tempfile.NamedTemporaryFile("w", dir=data.parent, prefix="password-") as password:  # 0600, and gone after this
        password.write(os.environ["PGPASSWORD"])
        password.flush()
        if os.geteuid() == 0:
            shutil.chown(password.name, USER, USER)
        options = ("--username", os.environ["PGUSER"], "--pwfile", password.name, "--auth", "scram-sha-256")
        command = [*as_user(), program("initdb"), "-D", str(draft), *options, "--encoding=UTF8", "--locale=C.UTF-8"]
        subprocess.run(command, check=True, timeout=300, cwd=data.parent)
    draft.rename(data)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:4])
