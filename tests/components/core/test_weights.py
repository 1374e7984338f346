"""Files of weights that deceive: headers, indexes, shards."""

import json
import shutil
import struct
from contextlib import suppress

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from r1flow.components.core.errors import ModelError
from r1flow.components.core.models import load_model, save_model, stored_parameters
from r1flow.components.core.weights import INDEX, WEIGHTS, listed, stored_shapes, weight_files
from tests.fakes.tiny import grouped_query_model
from tests.fakes.tokenizers import byte_level


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    directory = tmp_path_factory.mktemp("model")
    save_model(grouped_query_model(), byte_level(), directory)
    return directory


@pytest.fixture
def model(good, tmp_path):
    return shutil.copytree(good, tmp_path / "model")


@pytest.fixture(scope="module")
def good_shards(good, tmp_path_factory):
    """The same model in three files with an index."""
    directory = shutil.copytree(good, tmp_path_factory.mktemp("shards") / "model")
    weights = load_file(directory / WEIGHTS)
    (directory / WEIGHTS).unlink()
    place = {name: f"model-{i % 3 + 1:05}-of-00003.safetensors" for i, name in enumerate(sorted(weights))}
    for file in set(place.values()):
        save_file({name: weights[name] for name in weights if place[name] == file}, directory / file, {"format": "pt"})
    (directory / INDEX).write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": place}))
    return directory


@pytest.fixture
def shards(good_shards, tmp_path):
    return shutil.copytree(good_shards, tmp_path / "shards")


def edit_index(directory, change):
    table = json.loads((directory / INDEX).read_text())
    (directory / INDEX).write_text(json.dumps(change(table)))


def shard(number):
    return f"model-{number:05}-of-00003.safetensors"


def test_shards_are_one_model(good, shards):
    assert [path.name for path in weight_files(shards)] == [shard(1), shard(2), shard(3)]
    assert stored_shapes(shards) == stored_shapes(good)
    for mine, other in zip(load_model(shards).parameters(), load_model(good).parameters(), strict=True):
        assert torch.equal(mine, other)


def test_what_transformers_does_not_load_does_not_count(good, model):
    save_file({"again": torch.ones(1000)}, model / "consolidated.safetensors")
    assert stored_parameters(model) == stored_parameters(good)


def test_a_shard_that_is_missing_is_named(shards):
    (shards / shard(2)).unlink()
    for read in (stored_parameters, load_model):
        with pytest.raises(
            ModelError, match=r"the shard model-00002-of-00003\.safetensors, which .*index\.json names, is missing"
        ):
            read(shards)


def test_weights_by_another_name_are_named(model):
    (model / WEIGHTS).rename(model / "weights.safetensors")
    with pytest.raises(
        ModelError, match=r"neither model\.safetensors nor .*, only weights\.safetensors; rename the file"
    ):
        load_model(model)


def test_a_tensor_in_two_shards_is_named(shards):
    first, second = load_file(shards / shard(1)), load_file(shards / shard(2))
    name = min(first)
    save_file(second | {name: first[name]}, shards / shard(2), {"format": "pt"})
    with pytest.raises(ModelError, match=rf"{shard(2)}: {name} stored in another shard too"):
        load_model(shards)


def test_a_tensor_that_is_not_where_the_index_says_is_named(shards):
    assert "model.norm.weight" not in load_file(shards / shard(2))
    edit_index(shards, lambda table: table | {"weight_map": table["weight_map"] | {"model.norm.weight": shard(2)}})
    with pytest.raises(
        ModelError, match=rf"{shard(2)}: model\.norm\.weight not in this file, where .*index\.json says"
    ):
        load_model(shards)


@pytest.mark.parametrize(
    "name",
    [
        "../other/model.safetensors",
        "/etc/model.safetensors",
        "sub/model.safetensors",
        "..\\\\model.safetensors",
        "..",
        "",
        "config.json",
        "model.bin",
        "\0.safetensors",
    ],
)
def test_an_index_leads_to_files_of_its_directory_alone(shards, name):
    (shards.parent / "other").mkdir()
    shutil.copy(shards / shard(1), shards.parent / "other" / WEIGHTS)
    edit_index(shards, lambda table: table | {"weight_map": table["weight_map"] | {"model.norm.weight": name}})
    for read in (stored_parameters, load_model):
        with pytest.raises(ModelError, match=r"is no \*\.safetensors file of this directory|is missing"):
            read(shards)


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "[" * 100_000, '{"metadata": {}}', '{"weight_map": {"a": "b.safetensors"}}', '{"metadata": {}, "weight_map": {}}',
     '{"metadata": {}, "weight_map": {"a": 1}}', '{"metadata": {}, "weight_map": {"a": "x.safetensors", "a": "y.safetensors"}}',
     '{"metadata": {}, "weight_map": ["a"]}', "\ud800", "1" * 5000],
)  # fmt: skip
def test_an_index_that_is_none_is_refused_by_name(shards, text):
    (shards / INDEX).write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(
        ModelError, match=r"model\.safetensors\.index\.json: (not a JSON object with each name once|no objects)"
    ):
        stored_parameters(shards)


def test_an_index_is_not_read_whatever_its_size(shards, monkeypatch):
    monkeypatch.setattr("r1flow.components.core.weights.MAX_INDEX_BYTES", 1000)
    with pytest.raises(ModelError, match=r"index\.json: [0-9,]+ bytes; an index has at most 1,000"):
        stored_parameters(shards)


def one(name, start, end):
    return f'"{name}": ' + json.dumps({"dtype": "F32", "shape": [4, 4], "data_offsets": [start, end]})


HEADERS = {
    "overlapping": f"{{{one('a', 0, 64)}, {one('b', 32, 96)}}}",
    "with a hole": f"{{{one('a', 32, 96)}}}",
    "out of the file": f"{{{one('a', 0, 2**63)}}}",
    "a name twice": f"{{{one('a', 0, 64)}, {one('a', 0, 64)}}}",
    "a key twice": '{"a": {"dtype": "F32", "dtype": "I32", "shape": [4, 4], "data_offsets": [0, 64]}}',
    "of too many numbers": '{"a": {"dtype": "F32", "shape": [9223372036854775808, 4], "data_offsets": [0, 64]}}',
    "of no type": '{"a": {"dtype": "X1", "shape": [4, 4], "data_offsets": [0, 64]}}',
    "deep": '{"a": ' + "[" * 50_000,
    "no object": "[1, 2]",
}


@pytest.mark.parametrize("kind", HEADERS)
def test_a_header_that_deceives_is_refused_by_the_file_s_name(model, kind):
    header = HEADERS[kind].encode()
    (model / WEIGHTS).write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 64)
    for read in (stored_parameters, load_model):
        with pytest.raises(ModelError, match=r"model/model\.safetensors: .*; fetch or save this file again"):
            read(model)


@pytest.mark.parametrize("length", [0, 2**27, 2**63, 2**64 - 1])
def test_the_length_of_a_header_is_bounded(model, length):
    content = (model / WEIGHTS).read_bytes()
    (model / WEIGHTS).write_bytes(struct.pack("<Q", length) + content[8:])
    with pytest.raises(ModelError, match=r"model\.safetensors: .*; fetch or save this file again"):
        stored_parameters(model)


@pytest.mark.parametrize("left", [0, 1, 7, 8, 500, -4])
def test_a_file_that_is_cut_off_is_refused_by_name(model, left):
    content = (model / WEIGHTS).read_bytes()
    (model / WEIGHTS).write_bytes(content[:left])
    with pytest.raises(ModelError, match=r"model\.safetensors: .*; fetch or save this file again"):
        stored_parameters(model)


def test_a_folder_in_place_of_the_file_is_none(shards):
    (shards / shard(3)).unlink()
    (shards / shard(3)).mkdir()
    with pytest.raises(ModelError, match=r"the shard model-00003-of-00003\.safetensors.* is missing"):
        stored_parameters(shards)


def damaged(content, data, length):
    content = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        at, put = data.draw(st.integers(0, length)), data.draw(st.binary(min_size=1, max_size=9))
        content[at : at + len(put)] = put
    return bytes(content[: data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))])


@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=st.data())
def test_whatever_is_done_to_a_header_it_is_read_or_refused(good, tmp_path_factory, data):
    directory = tmp_path_factory.getbasetemp() / "fuzzed"
    directory.mkdir(exist_ok=True)
    (directory / WEIGHTS).write_bytes(damaged((good / WEIGHTS).read_bytes(), data, 3000))
    with suppress(ModelError):
        assert stored_parameters(directory) * 4 <= (directory / WEIGHTS).stat().st_size


@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=st.data())
def test_whatever_is_done_to_an_index_its_files_lie_in_the_directory(good_shards, data):
    index, original = good_shards / INDEX, (good_shards / INDEX).read_bytes()
    index.write_bytes(damaged(original, data, len(original)))
    try:
        with suppress(ModelError):
            assert {path.resolve().parent for path in weight_files(good_shards)} == {good_shards.resolve()}
    finally:
        index.write_bytes(original)


def test_a_few_names_stand_for_many():
    assert listed(f"t{i}" for i in range(300)) == "t0, t1, t10, t100, t101 and 295 more"
