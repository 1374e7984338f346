"""Which sandbox this machine offers: bubblewrap, or on the user's word mere resource limits."""

import functools
import logging
import os
import shutil
from dataclasses import dataclass

from r1flow.components.core.errors import ConfigError
from r1flow.components.processes.sandbox import interpreters, seccomp, slots
from r1flow.components.processes.sandbox.base import End, Limits, Program, Sandbox
from r1flow.components.processes.sandbox.bubblewrap import Bubblewrap
from r1flow.components.processes.sandbox.rlimits import ResourceLimits

SETTING = "R1_SANDBOX"
_UNSAFE = f"{SETTING}=rlimits runs programs without isolation, where nobody else's work is at risk"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Status:
    """What holds programs on this machine. ``isolation`` is empty where nothing can; ``missing`` names the fixes."""

    isolation: str
    uid_per_slot: bool = False
    seccomp: bool = False
    missing: tuple[str, ...] = ()

    def __str__(self) -> str:
        if not self.isolation:
            return "none: " + "; ".join(self.missing)
        user = "a user id per sandbox" if self.uid_per_slot else "the caller's user id"
        parts = [self.isolation, user, "seccomp filter" if self.seccomp else "no seccomp filter", *self.missing]
        return "; ".join(parts)


def open_sandbox() -> Sandbox:
    """The sandbox of this process, found and tried once.

    bubblewrap, or resource limits alone where R1_SANDBOX=rlimits says so. Raises ``ConfigError``, with the fix, where
    bubblewrap does not work or R1_SANDBOX is something else.
    """
    wanted = os.environ.get(SETTING) or "bubblewrap"
    if wanted not in ("bubblewrap", "rlimits"):
        raise ConfigError(f'{SETTING}: expected "bubblewrap" or "rlimits", got {wanted!r}')
    return _rlimits() if wanted == "rlimits" else _bubblewrap()


def describe() -> Status:
    """What ``open_sandbox`` gives here, and what is missing for more."""
    try:
        sandbox = open_sandbox()
    except ConfigError as error:
        return Status("", missing=(str(error),))
    missing = []
    for program in (interpreters.python, lambda: interpreters.compiler("c++"), interpreters.node):
        try:
            program()
        except ConfigError as error:
            missing.append(str(error))
    if isinstance(sandbox, ResourceLimits):
        missing.append("no isolation from network, files and processes: install bubblewrap (make system)")
        return Status(sandbox.name, sandbox.slots is not None, False, tuple(missing))
    assert isinstance(sandbox, Bubblewrap)
    if sandbox.seccomp is None:
        missing.append("libseccomp.so.2 is not installed; install libseccomp2: make system")
    return Status(sandbox.name, sandbox.slots is not None, sandbox.seccomp is not None, tuple(missing))


@functools.cache
def _slots() -> slots.Slots | None:
    if not slots.usable():
        return None
    if shutil.which("setpriv") is None:
        raise ConfigError("setpriv is not installed, programs would run as root; install util-linux: make system")
    try:
        found = slots.Slots()
    except OSError as error:
        raise ConfigError(f"no user ids for sandboxes: {error}") from error
    found.sweep()
    return found


@functools.cache
def _rlimits() -> ResourceLimits:
    logger.warning(
        "%s=rlimits: programs run WITHOUT ISOLATION; network, files and processes of their user are open to them",
        SETTING,
    )
    return ResourceLimits(_slots())


@functools.cache
def _bubblewrap() -> Bubblewrap:
    """Raises ``ConfigError`` where a small program does not run in it; nothing is kept then, and the next call tries."""
    if shutil.which("bwrap") is None:
        raise ConfigError(f"no sandbox: bubblewrap is not installed; install it: make system ({_UNSAFE})")
    try:
        visible = interpreters.python_visible()
    except ConfigError:  # other languages run all the same; who asks for Python gets the error
        visible = ()
    sandbox = Bubblewrap(_slots(), seccomp.program(), visible)
    probe = sandbox.run(Program(["/bin/bash", "-c", "(echo child); echo parent"], limits=Limits(processes=4)))
    if probe.end is not End.EXITED or probe.stdout != b"child\nparent\n":
        said = probe.detail or probe.stderr.decode(errors="replace").strip()
        raise ConfigError(f"no sandbox: bubblewrap does not work here ({said}); {_mend(said)} ({_UNSAFE})")
    return sandbox


def _mend(said: str) -> str:
    if "nknown option" in said:
        return "install bubblewrap 0.8 or newer"
    return (
        "user namespaces must be allowed: sysctl kernel.unprivileged_userns_clone=1 and "
        "kernel.apparmor_restrict_unprivileged_userns=0; in a container: --security-opt seccomp=unconfined "
        "--security-opt apparmor=unconfined --security-opt systempaths=unconfined"
    )
