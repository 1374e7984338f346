"""Where a start model comes from, and what is said when it cannot be had."""

import os
import shutil
import urllib.request
import uuid

import huggingface_hub
import pytest
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError, OfflineModeIsEnabled

from r1flow.components.core.errors import ConfigError, ModelError, StoreError
from r1flow.components.core.models import BUILTIN, load_model, stored_parameters
from r1flow.components.store.models import is_hub_id, is_remote, locate_model
from r1flow.components.store.objects import S3Store, open_store
from tests.fakes.s3_server import CREDENTIALS, s3_server


@pytest.fixture
def model(tmp_path):
    return shutil.copytree(BUILTIN["tiny-student"], tmp_path / "model")


@pytest.mark.parametrize("source", ["/no/such/model", "./model", "~/model", "model", "a/b/c"])
def test_what_is_neither_directory_nor_hub_id_is_told_so(source, monkeypatch):
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *a, **k: pytest.fail("the hub was asked"))
    with pytest.raises(ModelError, match=r"^models\.base\.source: .* is not a directory here"):
        locate_model(source, setting="models.base.source")


@pytest.mark.parametrize(
    "error",
    [
        LocalEntryNotFoundError("cannot reach the hub"),
        OfflineModeIsEnabled("offline"),
        HFValidationError("bad repo id"),
        TimeoutError("slow"),
    ],
)
def test_a_hub_that_cannot_be_reached_is_a_model_error_with_the_mend(error, monkeypatch):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(ModelError, match=r"hub model org/name \(revision main\) could not be fetched: .*HF_TOKEN"):
        locate_model("org/name")


def test_a_hub_model_is_fetched_at_its_revision_without_any_code_or_pickles(model, monkeypatch, tmp_path):
    asked = {}

    def download(source, **options):
        asked.update(source=source, **options)
        return str(model)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert locate_model("org/name", "abc", cache=tmp_path) == model
    assert (asked["source"], asked["revision"], asked["cache_dir"]) == ("org/name", "abc", tmp_path)
    assert not {"*.py", "*.bin", "*.pt", "*"} & set(asked["allow_patterns"])


def test_a_fetched_model_is_checked_too(model, monkeypatch):
    (model / "model.safetensors").unlink()
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *a, **k: str(model))
    with pytest.raises(ModelError, match="safetensors"):
        locate_model("org/name")


def test_built_in_models_are_found_by_name_and_others_are_listed():
    assert locate_model("builtin:tiny-base") == BUILTIN["tiny-base"]
    with pytest.raises(ModelError, match="no built-in model 'huge'; there are tiny-base, tiny-student"):
        locate_model("builtin:huge")


def test_a_gguf_file_is_a_source_of_its_own(model, tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *a, **k: pytest.fail("the hub was asked"))
    file = tmp_path / "small.gguf"
    with pytest.raises(ModelError, match=r"^models\.base\.source: there is no file .*small\.gguf"):
        locate_model(str(file), setting="models.base.source")
    file.write_bytes(b"GGUF")
    assert locate_model(str(file)) == file
    monkeypatch.chdir(tmp_path.parent)
    assert locate_model(f"{tmp_path.name}/small.gguf").samefile(file)
    (model / "model.safetensors").unlink()
    shutil.copy(file, model / "model.Q4_K.gguf")
    with pytest.raises(ModelError, match=r"no \*\.safetensors; give the file itself: .*model\.Q4_K\.gguf"):
        locate_model(str(model))


def test_what_would_be_fetched_is_told_apart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "org" / "here").mkdir(parents=True)
    here = ["builtin:tiny-base", "org/here", "org/model.gguf", "/a/b", "./a", "~/a", "model"]
    assert not any(is_remote(source) for source in here)
    assert is_remote("s3://bucket/model")
    assert not is_hub_id("s3://bucket/model")
    assert is_remote("org/name")
    assert is_hub_id("org/name")


@pytest.fixture(scope="module")
def server():
    with s3_server() as (host, port):
        yield f"http://{host}:{port}"


@pytest.fixture(scope="module")
def clients():
    return []


@pytest.fixture
def bucket(server, clients, monkeypatch):
    """A bucket of its own, over one client for all tests: to make a client costs more than a test."""
    for name, value in (CREDENTIALS | {"AWS_ENDPOINT_URL": server}).items():
        monkeypatch.setenv(name, value)
    name = f"b-{uuid.uuid4().hex}"
    urllib.request.urlopen(urllib.request.Request(f"{server}/{name}", method="PUT")).close()
    if not clients:
        clients.append(open_store(f"s3://{name}")._filesystem())
    monkeypatch.setattr(S3Store, "_filesystem", lambda self: clients[0])
    return f"s3://{name}"


@pytest.fixture
def remote(bucket, model):
    """The model on the store, beside what is none of its files."""
    store = open_store(f"{bucket}/models/small")
    for path in model.iterdir():
        store.put_file(path, path.name)
    for name in ("model.py", "pytorch_model.bin", "original/params.json", "training_args.pt"):
        store.create(name, b"{}")
    return f"{bucket}/models/small"


def test_a_directory_on_s3_is_fetched_once_without_code_or_pickles(remote, model, tmp_path, monkeypatch):
    found = locate_model(remote, cache=tmp_path / "cache")
    assert sorted(path.name for path in found.iterdir()) == sorted(path.name for path in model.iterdir())
    assert all((found / path.name).read_bytes() == path.read_bytes() for path in model.iterdir())
    assert stored_parameters(found) == stored_parameters(model)
    load_model(found)
    monkeypatch.setattr(S3Store, "get_file", lambda *a: pytest.fail("fetched again"))
    assert locate_model(f"{remote}/", cache=tmp_path / "cache") == found
    assert list((tmp_path / "cache" / "models").iterdir()) == [found]


def test_without_a_cache_it_lies_in_that_of_the_home(remote, tmp_path, monkeypatch):
    monkeypatch.setenv("R1_HOME", str(tmp_path / "home"))
    assert (tmp_path / "home" / "cache" / "models") in locate_model(remote).parents


def test_another_state_of_the_directory_is_another_model(remote, tmp_path):
    first = locate_model(remote, cache=tmp_path)
    open_store(remote).create("notes.txt", b"new")
    second = locate_model(remote, cache=tmp_path)
    assert second != first
    assert (second / "notes.txt").read_bytes() == b"new"
    assert not (first / "notes.txt").exists()


def test_a_fetch_that_breaks_off_leaves_nothing_behind(remote, tmp_path, monkeypatch):
    real = S3Store.get_file

    def fail(self, key, path):
        if key == "model.safetensors":
            raise StoreError("cut")
        real(self, key, path)

    with monkeypatch.context() as patch:
        patch.setattr(S3Store, "get_file", fail)
        with pytest.raises(StoreError, match="cut"):
            locate_model(remote, cache=tmp_path)
    assert os.listdir(tmp_path / "models") == []
    assert locate_model(remote, cache=tmp_path).is_dir()


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("config.json", r"config\.json is missing"),
        ("tokenizer.json", r"no tokenizer \(tokenizer\.json\)"),
        ("model.safetensors", r"no \*\.safetensors"),
    ],
)
def test_what_is_fetched_from_s3_is_checked_as_any_directory(remote, tmp_path, gone, said):
    open_store(remote).delete(gone)
    with pytest.raises(ModelError, match=said):
        locate_model(remote, cache=tmp_path)


def test_an_empty_place_on_s3_and_one_that_is_none_are_named(bucket, tmp_path):
    with pytest.raises(
        ModelError, match=r"models\.base\.source: s3://.*/nothing holds none of \*\.json, .*config\.json"
    ):
        locate_model(f"{bucket}/nothing", cache=tmp_path, setting="models.base.source")
    with pytest.raises(StoreError, match="NoSuchBucket"):
        locate_model("s3://no-such-bucket/model", cache=tmp_path)
    for source in ("s3://", "s3://user:secret@bucket/model", "s3://bucket/model?x=1"):
        with pytest.raises(ConfigError) as caught:
            locate_model(source, cache=tmp_path)
        assert "secret" not in str(caught.value)
