"""The tree that the README prints is the repository's."""

import re
from pathlib import PurePosixPath

from tests.docs import repository_files, section

ROOMS = ("r1flow", "flows", "tasks", "components", "tests", "benchmarks", "infra")


def printed() -> dict[str, str]:
    """Path and description of every line of the tree; two blanks of indentation go one level down."""
    found = re.search(r"^```text\n(.*?)^```$", section("README.md", "The repository"), re.MULTILINE | re.DOTALL)
    assert found, "the section 'The repository' holds no ```text block"
    paths: dict[str, str] = {}
    above: list[str] = []
    for line in found[1].splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        name, _, description = line.strip().partition("  ")
        above = [*above[:depth], name.rstrip("/")]
        path = "/".join(above)
        assert path not in paths, f"{path} is printed twice"
        assert len(above) == depth + 1, f"{line!r} is indented below nothing"
        paths[path + ("/" if name.endswith("/") else "")] = description.strip()
    return paths


def directories() -> set[str]:
    return {f"{parent}/" for name in repository_files() for parent in PurePosixPath(name).parents if parent.name}


def test_every_printed_path_exists() -> None:
    assert sorted(set(printed()) - directories() - set(repository_files())) == []


def test_every_top_level_entry_is_printed() -> None:
    entries = {name if "/" not in name else f"{name.partition('/')[0]}/" for name in repository_files()}
    assert sorted(entries - set(printed())) == []


def test_every_room_is_printed() -> None:
    rooms = {path for path in directories() if path.split("/")[0] in ROOMS and path.count("/") <= 2}
    assert sorted(rooms - set(printed())) == []


def test_every_printed_path_says_what_it_is() -> None:
    assert [path for path, description in printed().items() if not description] == []
