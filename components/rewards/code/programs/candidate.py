"""The candidate's side: loads ``solution.py`` and answers calls of its functions. It knows no expected value.

Whatever the program does to this process, the interpreter or the pipes changes what it answers, never how it is judged.
"""

from __future__ import annotations

import builtins
import os
import sys
import types
from collections.abc import Callable
from typing import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from r1flow.components.rewards.code.programs.peer import Lost, Peer
else:
    from peer import Lost, Peer

LoadedLookup = Callable[[str], Any]


def load(path: str) -> LoadedLookup:
    """Run the program as a module; the lookup of its names raises Lost, with the reason, where that failed."""
    with open(path, "rb") as file:
        source = file.read()
    module = types.ModuleType("solution")
    sys.modules["solution"] = module
    for name in ("exit", "quit"):  # left out of an interpreter that starts without its site module
        setattr(builtins, name, sys.exit)
    problem = ""
    try:
        exec(compile(source, "solution.py", "exec"), module.__dict__)
    except SystemExit:
        problem = "the program ends (SystemExit) while it is loaded"
    except BaseException as error:  # any failure to load is the program's own
        problem = f"the program cannot be loaded: {type(error).__name__}: {str(error)[:200]}"

    def lookup(name: str) -> Any:
        if problem:
            raise Lost(problem)
        return find(module, name)

    return lookup


def find(module: types.ModuleType, name: str) -> Any:
    """The function ``name``, also ``Class.method``, of a new object; or the method of a lone class ``Solution``."""
    head, _, method = name.partition(".")
    found = getattr(module, head, None)
    if found is None and not method:
        found, method = getattr(module, "Solution", None), name
    if method and isinstance(found, type):
        found = getattr(found(), method, None)
    if not callable(found):
        raise Lost(f"the program does not define {name}")
    return found


def main() -> None:
    silence = os.open(os.devnull, os.O_RDWR)
    os.dup2(silence, 1)  # what a function prints is not judged and must not fill a pipe
    served: list[LoadedLookup] = []
    peer = Peer(lambda name: served[0](name))
    peer.greet()
    served.append(load("solution.py"))
    try:
        peer.serve()
    except Lost:
        os._exit(0)


if __name__ == "__main__":
    main()
