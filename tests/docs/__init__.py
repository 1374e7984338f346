"""The documentation is held against the code: what the pages and this folder's tests share."""

import fnmatch
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name: str, language: str | None = None) -> list[str]:
    """The fenced code blocks of a page, of one language or of all."""
    return [body for tongue, body in _FENCE.findall(page(name)) if language in (None, tongue)]


def prose(name: str) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", page(name))


def spans(name: str) -> list[str]:
    """The inline code of a page."""
    return _SPAN.findall(prose(name))


def section(name: str, heading: str) -> str:
    """What stands under ``## heading``, up to the next heading of that level."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", page(name), re.MULTILINE | re.DOTALL)
    assert found, f"{name} has no section {heading!r}"
    return found[1]


def family_table() -> dict[str, dict[str, str]]:
    """The cells of the table of families by family, then by heading."""
    rows = [line for line in section("ARCHITECTURE.md", "Model families").splitlines() if line.startswith("| ")]
    heads, *cells = [[cell.strip(" `") for cell in row.strip("|").split("|")] for row in rows]
    return {row[0]: dict(zip(heads[1:], row[1:], strict=True)) for row in cells}


def repository_files() -> list[str]:
    """Every file of the checkout that is not ignored: by git where git is there, else by .gitignore's own lines."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except OSError:  # no git on this machine
        return _walked()
    names = listed.stdout.splitlines() if listed.returncode == 0 else _walked()
    return sorted(name for name in names if (ROOT / name).is_file())


def _walked() -> list[str]:
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    ignored = [".git", *(line.rstrip("/") for line in lines)]
    files = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
    return [f.as_posix() for f in files if not any(fnmatch.fnmatch(part, i) for part in f.parts for i in ignored)]


def text_files() -> dict[str, str]:
    """The repository's files that are text, by path."""
    texts = {}
    for name in repository_files():
        raw = (ROOT / name).read_bytes()
        if b"\0" not in raw[:8192]:
            texts[name] = raw.decode("utf-8")
    return texts
