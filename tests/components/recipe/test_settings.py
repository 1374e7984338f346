"""Where runs happen: defaults below the home, everything from R1_* variables."""

import pytest
from pydantic import ValidationError

from r1flow.components.core.errors import ConfigError
from r1flow.components.recipe.settings import Settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    for name in ("HOME", "STORE", "MLFLOW_URI", "EXPERIMENT", "PREFECT_API_URL"):
        monkeypatch.delenv(f"R1_{name}", raising=False)
    monkeypatch.chdir(tmp_path)


def test_everything_lies_below_the_home_by_default(tmp_path):
    settings = Settings()
    assert settings.home == tmp_path / ".r1"
    assert settings.store_uri == f"file://{tmp_path}/.r1/store"
    assert settings.tracking_uri == f"sqlite:///{tmp_path}/.r1/mlflow.db"
    assert settings.cache == tmp_path / ".r1" / "cache"


def test_variables_are_read(monkeypatch):
    for name, value in {"HOME": "~/r1", "STORE": "s3://b/p", "MLFLOW_URI": "http://m:5000", "EXPERIMENT": "e"}.items():
        monkeypatch.setenv(f"R1_{name}", value)
    monkeypatch.setenv("HOME", "/home/somebody")
    settings = Settings()
    assert str(settings.home) == "/home/somebody/r1"
    assert (settings.store_uri, settings.tracking_uri, settings.experiment) == ("s3://b/p", "http://m:5000", "e")


def test_a_stages_work_directory_is_the_same_for_every_try(tmp_path):
    assert Settings().work("grpo", "ab" * 32) == tmp_path / ".r1" / "work" / "grpo-abababababababab"


def test_the_home_is_made_or_the_variable_is_named(monkeypatch, tmp_path):
    Settings().prepare()
    assert (tmp_path / ".r1").is_dir()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("R1_HOME", str(tmp_path / "file" / "below"))
    with pytest.raises(ConfigError, match=r"R1_HOME: .*file/below cannot be made \(Not a directory\)"):
        Settings().prepare()


def test_settings_do_not_change_after_reading():
    settings = Settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.store = "x"
