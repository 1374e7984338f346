"""Hub datasets through `datasets` itself, from a directory of the hub's layout: the hub is out of a test's reach."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from r1flow.components.core.errors import ConfigError, StoreUnavailable
from r1flow.components.core.schema import Row
from r1flow.components.data.sources import read_source
from r1flow.components.data.sources.hub import stream
from r1flow.components.data.sources.lines import TAIL
from r1flow.components.data.sources.read import read_rows
from r1flow.components.data.sources.records import Broken, Record
from r1flow.components.recipe.data import SourceConfig
from r1flow.components.recipe.presets import make_recipe

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Two configurations with two splits, as a dataset's card declares them."""
    directory = tmp_path / "sums"
    card = ["---", "configs:"]
    for config in ("easy", "hard"):
        card += [f"- config_name: {config}", "  data_files:"]
        for split in ("train", "test"):
            rows = [{"prompt": f"{config} {split} {n}", "answer": n} for n in range(5)]
            file = directory / config / f"{split}.jsonl"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("".join(json.dumps(row) + "\n" for row in rows))
            card += [f"  - split: {split}", f"    path: {config}/{split}.jsonl"]
    (directory / "README.md").write_text("\n".join([*card, "---", ""]))
    return directory


def test_a_split_of_a_configuration_is_streamed(dataset: Path) -> None:
    records = stream(str(dataset), "hard", "test", None, "data.sources.s")
    rows = list(read_rows(records, SourceConfig(), "s"))
    assert [row.prompt for row in rows if isinstance(row, Row)] == [f"hard test {n}" for n in range(5)]
    assert rows[3].id == "s-00004"  # type: ignore[union-attr]


@pytest.mark.parametrize(("config", "split"), [("medium", "train"), ("easy", "validation")])
def test_an_unknown_configuration_or_split_names_those_there_are(dataset: Path, config: str, split: str) -> None:
    with pytest.raises(ConfigError, match=r"data\.sources\.s(?s:.*)(hard|test)"):
        list(stream(str(dataset), config, split, None, "data.sources.s"))


def test_what_stands_before_a_broken_row_is_kept_and_the_rest_is_one_entry(dataset: Path) -> None:
    with (dataset / "easy" / "train.jsonl").open("a") as file:
        file.write('{"prompt": "half a row')
    items = list(stream(str(dataset), "easy", "train", None, "s"))
    kept = [item for item in items if isinstance(item, Record)]
    assert len(items) == len(kept) + 1
    assert isinstance(items[-1], Broken)
    assert (items[-1].number, items[-1].reason, items[-1].tail) == (len(kept) + 1, TAIL, True)


def test_a_hub_out_of_reach_is_one_message_with_the_mend() -> None:
    source = SourceConfig(hub="nobody/nothing", revision=COMMIT)
    with pytest.raises(
        ConfigError, match=r"data\.sources\.s\.hub: cannot read 'nobody/nothing' at 0123(?s:.*)HF_HUB_OFFLINE"
    ):
        list(read_source(source, "s", seed=0, setting="data.sources.s"))


def test_a_directory_of_that_name_is_not_taken_for_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nobody" / "nothing").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    source = SourceConfig(hub="nobody/nothing", revision=COMMIT)
    with pytest.raises(ConfigError, match="is a path here"):
        list(read_source(source, "s", seed=0, setting="data.sources.s"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hub": "a/b"}, r"datasets\.problems\.sources\.s: hub needs revision"),
        ({"hub": "a/b", "revision": "main"}, r"datasets\.problems\.sources\.s\.revision"),
        ({"hub": "../a", "revision": COMMIT}, r"datasets\.problems\.sources\.s\.hub"),
    ],
)
def test_a_hub_dataset_is_pinned(settings: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_recipe({"preset": "gsm8k-curate", "datasets": {"problems": {"sources": {"s": settings}}}})


def test_a_connection_that_is_lost_is_not_the_end_of_the_dataset(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rows() -> Iterator[dict[str, str]]:
        yield {"prompt": "p", "answer": "1"}
        raise ConnectionResetError("reset by peer")

    monkeypatch.setattr("r1flow.components.data.sources.hub._open", lambda *_: rows())
    with pytest.raises(StoreUnavailable, match=r"data\.sources\.s\.hub: (?s:.*)broke off after row 1: reset by peer"):
        list(stream(str(dataset), None, "train", None, "data.sources.s"))
