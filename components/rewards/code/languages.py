"""How programs of each language are marked in a text, compiled and started, and what they may use."""

from collections.abc import Callable
from dataclasses import dataclass

from r1flow.components.core.tests import ProgramLanguage
from r1flow.components.processes.sandbox import interpreters
from r1flow.components.processes.sandbox.base import Limits, MiB

# Programs say exit() and quit(), which only the site module defines. Nothing is left behind that they did not import.
_RUN = (
    "import builtins, sys; builtins.exit = builtins.quit = sys.exit; del builtins, sys; "
    "exec(compile(open('main.py', 'rb').read(), 'main.py', 'exec'))"
)
BUILT = "built"
_OUTPUT = ["-O2", "-w", "-s", "-o", BUILT]
# What comes into a sandbox is data; a copy of it may run.
RUN_BUILT = ("/bin/sh", "-c", f"cp program {BUILT} && chmod 700 {BUILT} && exec ./{BUILT}")


def python() -> list[str]:
    """Python without site packages, and with fixed hash values: the same program gets the same verdict."""
    return ["/usr/bin/env", "PYTHONHASHSEED=0", interpreters.python()[0], "-s", "-S"]


@dataclass(frozen=True)
class Language:
    """``fences``: the words behind a block's three back-ticks. ``command`` starts ``file``, or compiles it.

    A compiled program is written to ``BUILT``. ``command`` raises ConfigError where the machine lacks the program.
    """

    fences: frozenset[str]
    file: str
    command: Callable[[], list[str]]
    compiled: bool = False
    memory_bytes: int = 512 * MiB
    address_bytes: int | None = None
    processes: int = 16


LANGUAGES: dict[ProgramLanguage, Language] = {
    "python": Language(frozenset({"python", "python3", "py", "py3"}), "main.py", lambda: [*python(), "-c", _RUN]),
    "c": Language(
        frozenset({"c", "c99", "c11", "c17", "gnu11", "gnu17"}),
        "main.c",
        lambda: [*interpreters.compiler("c"), "main.c", *_OUTPUT, "-lm"],
        compiled=True,
    ),
    "cpp": Language(
        frozenset({"cpp", "c++", "cc", "cxx", "cpp11", "cpp14", "cpp17", "cpp20", "c++11", "c++14", "c++17", "c++20"}),
        "main.cpp",
        lambda: [*interpreters.compiler("c++"), "-std=gnu++20", "main.cpp", *_OUTPUT],
        compiled=True,
    ),
    "javascript": Language(
        frozenset({"javascript", "js", "node", "nodejs", "mjs", "cjs"}),
        "main.js",
        lambda: [*interpreters.node(), "--max-old-space-size=256", "--stack-size=4000", "main.js"],
        memory_bytes=1024 * MiB,
        address_bytes=interpreters.NODE_ADDRESS_BYTES,
        processes=32,
    ),
}

COMPILING = Limits(
    wall_seconds=30.0,
    cpu_seconds=20,
    memory_bytes=2048 * MiB,
    scratch_bytes=128 * MiB,
    file_bytes=32 * MiB,
    output_bytes=32 * MiB,
)
