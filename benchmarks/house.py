"""The rooms of the house: size, floor and imports of each; what imports upwards; which rooms import each other in a circle.

    python benchmarks/house.py

The order of the rooms is that of the `layers` contracts in pyproject.toml. A room's floor is the longest chain of imports from it
down to a room that imports none. Imports inside functions and for type checkers count. Exit code 1 where anything imports
upwards or in a circle.
"""

import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[1]
Arrows = Mapping[str, set[str]]
"""Rooms by the room that imports them."""


@dataclass(frozen=True)
class Import:
    """One module imports another, of another room."""

    importer: str
    imported: str

    @property
    def rooms(self) -> tuple[str, str]:
        return room(self.importer), room(self.imported)


def main() -> None:
    order, imports = rooms(ROOT / "pyproject.toml"), list(imports_between_rooms())
    arrows = arrows_of(imports)
    floor, rising, circles = floors(order, arrows), upward(order, imports), cycles(arrows)
    print(f"{'room':12}{'files':>7}{'lines':>8}{'floor':>7}  imports")
    for name in order:
        files, lines = size(name)
        print(f"{name:12}{files:7}{lines:8}{floor[name]:7}  {' '.join(sorted(arrows.get(name, ()), key=order.index))}")
    print(f"{len(order)} rooms, {max(floor.values())} floors, {sum(map(len, arrows.values()))} imports between rooms")
    print(f"{len(rising)} upward", *(f"\n  {one.importer} imports {one.imported}" for one in rising))
    print(f"{len(circles)} cycles", *(f"\n  {' '.join(sorted(circle))}" for circle in circles))
    sys.exit(bool(rising or circles))


def rooms(pyproject: Path) -> list[str]:
    """From the top down: the package's parts, with the rooms of ``components`` in its place."""
    contracts = tomllib.loads(pyproject.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    layers = {c["containers"][0]: c["layers"] for c in contracts if c["type"] == "layers"}
    inner = layers["r1flow.components"]
    return [name for part in layers["r1flow"] for name in (inner if part == "components" else [part])]


def room(module: str) -> str:
    """The room of a module of the package; nothing for the package itself and for ``components``.

    >>> room("r1flow.components.store.lease"), room("r1flow.flows.r1"), room("r1flow")
    ('store', 'flows', '')
    """
    parts = [part for part in module.split(".")[1:] if part != "components"]
    return parts[0] if parts else ""


def imports_between_rooms() -> Iterator[Import]:
    graph = grimp.build_graph("r1flow", cache_dir=None)
    for importer in sorted(graph.modules):
        for imported in sorted(graph.find_modules_directly_imported_by(importer)):
            one = Import(importer, imported)
            if all(one.rooms) and one.rooms[0] != one.rooms[1]:
                yield one


def arrows_of(imports: Sequence[Import]) -> Arrows:
    arrows: dict[str, set[str]] = defaultdict(set)
    for one in imports:
        arrows[one.rooms[0]].add(one.rooms[1])
    return dict(arrows)


def floors(order: Sequence[str], arrows: Arrows) -> dict[str, int]:
    """By room; the lowest is 1. Imports that rise do not count."""
    found: dict[str, int] = {}
    for name in reversed(order):
        found[name] = 1 + max((found[below] for below in arrows.get(name, ()) if below in found), default=0)
    return found


def upward(order: Sequence[str], imports: Sequence[Import]) -> list[Import]:
    return [one for one in imports if order.index(one.rooms[0]) > order.index(one.rooms[1])]


def cycles(arrows: Arrows) -> list[frozenset[str]]:
    """Sets of rooms each of which leads to every other of its set."""
    reached = {name: reach(name, arrows) for name in arrows}
    circles = {frozenset(other for other in reached[a] if a in reached.get(other, ())) for a in arrows}
    return sorted((circle for circle in circles if circle), key=sorted)


def reach(name: str, arrows: Arrows) -> set[str]:
    """All rooms that a room imports, itself or through others."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        new = arrows.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found


def size(name: str) -> tuple[int, int]:
    """Python files of a room, and their lines."""
    package = ROOT / "r1flow"
    places = (package / name, package / "components" / name, package / f"{name}.py")
    place = next(path for path in places if path.exists()).resolve()
    files = [place] if place.is_file() else sorted(place.rglob("*.py"))
    texts = [path.read_text(encoding="utf-8") for path in files]
    return len(texts), sum(text.count("\n") for text in texts)


if __name__ == "__main__":
    main()
