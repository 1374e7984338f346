import gzip
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r1flow.components.core.errors import DataError
from r1flow.components.core.schema import Row
from r1flow.components.data.intake import Intake
from r1flow.components.recipe.data import SourceConfig
from r1flow.components.recipe.origins import Origin, evaluation_origins, training_origins
from r1flow.components.recipe.presets import load_recipe
from tests.runs import ROOT

SHARED = ROOT.parent / "shared" / "data"
FILES = {
    "data.sources.aime": "aime_1983_2023/train", "data.sources.math": "math/train_answers",
    "data.sources.gsm8k": "gsm8k/train", "suites.gsm8k.source": "gsm8k/test",
    "suites.math500.source": "math500/test.rows000-249", "suites.aime24.source": "aime24/test",
    "suites.amc23.source": "amc23/test", "suites.olympiadbench.source": "olympiadbench/test",
}  # fmt: skip


def origin(path: Path, name: str) -> Origin:
    return Origin(name, f"data.sources.{name}", SourceConfig(uri=str(path)))


def test_a_broken_source_does_not_hide_behind_a_large_one(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
    good.write_text('{"prompt": "p", "answer": "1"}\n' * 1000)
    bad.write_text('{"prompt": "p", "answer": "1"}\n' * 9 + "{\n")
    intake = Intake(0.05)
    with pytest.raises(DataError, match=r"bad: 1 of 10 lines(?s:.*)1  not JSON  \(first: line 10: \{\)"):
        list(intake.items([origin(good, "good"), origin(bad, "bad")], 0))
    assert (intake.total([origin(good, "good"), origin(bad, "bad")]).total, intake.tallies["data.sources.bad"].bad) == (
        1010,
        1,
    )


def parquet(rows: list[dict[str, str]], path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=500)


WRITE: dict[str, Callable[[list[dict[str, str]], Path], object]] = {
    ".jsonl.gz": lambda rows, path: path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode(), 1)),
    ".json": lambda rows, path: path.write_text(json.dumps(rows)),
    ".csv": lambda rows, path: path.write_text("prompt,answer\n" + "".join(f"{r['prompt']},1\n" for r in rows)),
    ".parquet": parquet,
}  # fmt: skip


@pytest.mark.parametrize("suffix", WRITE)
def test_memory_does_not_grow_with_a_file(tmp_path: Path, suffix: str) -> None:
    peaks = []
    for num in (10, 1000, 4000):  # the first one is for what is made once
        path = tmp_path / f"{num}{suffix}"
        WRITE[suffix]([{"prompt": f"{n} " + "x" * 1500, "answer": "1"} for n in range(num)], path)
        tracemalloc.start()
        count = sum(isinstance(item, Row) for item in Intake(0.0).items([origin(path, "s")], 0))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert count == num
    assert peaks[2] < peaks[1] + 500_000  # 3000 more rows: 4.5 MB, if they were held


def test_the_mathematics_preset_reads_the_published_files() -> None:
    if not SHARED.is_dir():
        pytest.skip("the shared data is not there")
    recipe = load_recipe("curate-math", [f"{key}.uri={SHARED / name}.jsonl" for key, name in FILES.items()])
    assert recipe.data is not None
    intake = Intake(recipe.data.max_bad_fraction)
    origins = [*training_origins(recipe.data), *evaluation_origins(recipe.data, recipe.suites).values()]
    items = list(intake.items(origins, 0))
    found = {setting: (tally.rows, dict(tally.reasons)) for setting, tally in intake.tallies.items()}
    assert found == {
        "data.sources.aime": (969, {}),
        "data.sources.math": (7470, {"wrong type in 'answer'": 2, "empty 'answer'": 2}),  # golds that are null, or nothing
        "data.sources.gsm8k": (7473, {}),
        "suites.gsm8k.source": (1319, {}), "suites.math500.source": (250, {}), "suites.aime24.source": (30, {}),
        "suites.amc23.source": (40, {}), "suites.olympiadbench.source": (675, {}),
    }  # fmt: skip
    amc = [item for item in items if isinstance(item, Row) and item.source == "amc23"]
    assert (amc[0].id, amc[0].answer, amc[0].licence) == ("amc23:0", "27", "MAA, for evaluation only")
