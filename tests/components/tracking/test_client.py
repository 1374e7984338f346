"""User and password of a tracking server go where MLflow looks for them, not into the address that its errors quote."""

import os

import pytest

from r1flow.components.tracking.client import open_client


@pytest.fixture(autouse=True)
def nobody(monkeypatch):
    for name in ("USERNAME", "PASSWORD"):
        monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", "before")


def test_a_server_s_address_is_cleared_of_user_and_password():
    client = open_client("http://me:se%40cret@host:5000/prefix")
    assert client.tracking_uri == "http://host:5000/prefix"
    assert client._registry_uri == "http://host:5000/prefix"
    assert os.environ["MLFLOW_TRACKING_USERNAME"] == "me"
    assert os.environ["MLFLOW_TRACKING_PASSWORD"] == "se@cret"


@pytest.mark.parametrize("uri", ["http://host:5000", "sqlite:///{}/mlflow.db"])
def test_an_address_without_them_stays_and_so_does_what_is_set(uri, tmp_path):
    uri = uri.format(tmp_path)
    assert open_client(uri).tracking_uri == uri
    assert os.environ["MLFLOW_TRACKING_PASSWORD"] == "before"
