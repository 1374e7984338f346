"""A model directory that MLflow loads as it is, with the same bytes whenever it is described."""

import json
import shutil

import pytest
import torch

from r1flow.components.core.models import BUILTIN, load_model, load_tokenizer
from r1flow.components.store.artifact import publish
from r1flow.components.store.objects import open_store
from r1flow.components.tracking.mlmodel import MLMODEL, make_loadable
from r1flow.components.tracking.promotions import append_promotion
from r1flow.components.tracking.registry import Registry
from tests.components.tracking.test_promotions import EVALUATION, EVIDENCE


@pytest.fixture(autouse=True)
def servers(mlflow_uri, monkeypatch):
    """Where MLflow's own functions look; else they would make a database in the working directory."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_uri)
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", mlflow_uri)


@pytest.fixture
def directory(tmp_path):
    """Of a model as a stage leaves it, below ``out``."""
    shutil.copytree(BUILTIN["tiny-base"], tmp_path / "out" / "model")
    return tmp_path / "out" / "model"


def content(directory):
    return {p.relative_to(directory).as_posix(): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def assert_the_same_model(loaded, directory):
    ours = load_model(directory).state_dict()
    theirs = loaded.model.state_dict()
    assert theirs.keys() == ours.keys()
    assert all(torch.equal(theirs[name], ours[name]) and theirs[name].dtype == ours[name].dtype for name in ours)
    tokenizer, text = load_tokenizer(directory), "12+30="
    assert loaded.tokenizer(text)["input_ids"] == tokenizer(text)["input_ids"]
    assert loaded.tokenizer.chat_template == tokenizer.chat_template


def test_mlflow_loads_the_directorys_own_weights_and_tokenizer(directory):
    import mlflow

    make_loadable(directory)
    assert set(mlflow.models.Model.load(str(directory)).flavors) == {"transformers", "python_function"}
    assert_the_same_model(mlflow.transformers.load_model(str(directory)), directory)
    [answer] = mlflow.pyfunc.load_model(str(directory)).predict(["12+30="])
    assert isinstance(answer, str)


def test_the_weights_are_stored_once_and_nothing_tells_when_or_where(directory, tmp_path):
    before = content(directory)
    elsewhere = shutil.copytree(directory, tmp_path / "elsewhere")
    make_loadable(directory)
    make_loadable(elsewhere)
    make_loadable(elsewhere)  # a stage that goes on where it was killed does so again
    after = content(directory)
    assert content(elsewhere) == after
    assert {name: after[name] for name in before} == before
    added = {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja"}
    assert after.keys() - before.keys() == {MLMODEL, *(f"components/tokenizer/{name}" for name in added)}
    assert set(json.loads(after[MLMODEL])) == {"flavors"}


@pytest.mark.parametrize("config", [None, {}, {"architectures": ["Qwen3ForSequenceClassification"]}])
def test_what_is_no_language_model_is_left_as_it_is(tmp_path, config):
    if config is not None:
        (tmp_path / "config.json").write_text(json.dumps(config))
    before = content(tmp_path)
    make_loadable(tmp_path)
    assert content(tmp_path) == before


@pytest.mark.parametrize("loadable", [True, False])
def test_a_registered_version_is_loaded_by_its_name_and_an_older_artifact_keeps_its_address(
    directory, tmp_path, mlflow_uri, mlflow_client, loadable
):
    import mlflow

    if loadable:
        make_loadable(directory)
    store, name = open_store(str(tmp_path / "store")), f"loadable-{loadable}"
    facts = dict(version="1", config={}, inputs={}, seed=0, metrics={}, provenance={})
    ref = publish(store, directory.parent, kind="sft", fingerprint="a" * 64, **facts)
    append_promotion(store, name, ref, EVALUATION, EVIDENCE, after=[])
    assert Registry(mlflow_uri).project(store, name) == 1
    version = mlflow_client.get_model_version_by_alias(name, "champion")
    if not loadable:
        assert version.source == ref.uri
        return
    assert version.source.startswith(f"{ref.uri}/data/")
    assert_the_same_model(mlflow.transformers.load_model(f"models:/{name}@champion"), directory)
