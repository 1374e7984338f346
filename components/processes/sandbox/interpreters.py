"""Command lines of interpreters and compilers that every sandbox can run."""

import os
import re
import shutil
import stat
import sys
from pathlib import Path

from r1flow.components.core.errors import ConfigError

_SYSTEM = "/usr/bin:/usr/local/bin:/bin"
_INSIDE = tuple(Path("/", name) for name in ("usr", "bin", "sbin", "lib", "lib64"))
_OLDEST = (3, 9)
NODE_ADDRESS_BYTES = 64 * 2**30
"""Address space for Node.js, which reserves far more than it uses; ``memory_bytes`` still bounds what it writes to."""


def python() -> list[str]:
    """Python without site packages, user settings and environment: it starts in about 7 ms.

    The system's own where there is one, else the one that runs this program. Raises ``ConfigError`` where neither can
    be read by everybody.
    """
    return [str(_python()[0]), "-I", "-S"]


def python_visible() -> tuple[Path, ...]:
    """Directories that a sandbox must show besides the system's for ``python`` to run."""
    return _python()[1]


def compiler(language: str) -> list[str]:
    """The compiler of "c" or "c++". Raises ``ConfigError`` where it is not installed."""
    return [_program({"c": "gcc", "c++": "g++"}[language], f"{language} programs")]


def node() -> list[str]:
    """Node.js, which needs ``Limits(address_bytes=NODE_ADDRESS_BYTES)``. Raises ``ConfigError`` where it is not installed."""
    return [_program("node", "JavaScript programs")]


def _program(name: str, purpose: str) -> str:
    found = shutil.which(name, path=_SYSTEM)
    if found is None or not _inside(Path(found)):
        raise ConfigError(f"{name} is not installed under /usr, {purpose} cannot run; install it: make system")
    return found


def _python() -> tuple[Path, tuple[Path, ...]]:
    for directory in _SYSTEM.split(":"):
        system = Path(directory, "python3")
        if os.access(system, os.X_OK) and _inside(system) and _version(system.resolve()) >= _OLDEST:
            return system, ()
    prefix = Path(sys.base_prefix).resolve()
    own = prefix / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    library = prefix / "lib" / own.name
    if not (_open_to_all(own) and _open_to_all(library)):
        raise ConfigError(
            f"no Python for sandboxes: there is none of 3.9 or newer under /usr, and {prefix} cannot be read by everybody; "
            "install python3: make system"
        )
    return own, (prefix,)


def _inside(path: Path) -> bool:
    """Whether a path lies, behind all links, where every sandbox shows it."""
    real = path.resolve()
    return any(real.is_relative_to(root.resolve()) for root in _INSIDE if root.exists())


def _version(real: Path) -> tuple[int, ...]:
    named = re.fullmatch(r"python(\d+)\.(\d+)", real.name)
    return tuple(map(int, named.groups())) if named else (0,)


def _open_to_all(path: Path) -> bool:
    """Whether any user can reach and read it."""
    if not path.exists():
        return False
    reachable = all(at.stat().st_mode & stat.S_IXOTH for at in _ancestors(path))
    return reachable and bool(path.stat().st_mode & stat.S_IROTH)


def _ancestors(path: Path) -> list[Path]:
    """The path and every directory above it."""
    return [path, *path.parents]
