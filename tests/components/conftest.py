"""One SQLite MLflow for all unit tests of a session: making its tables takes seconds."""

import pytest


@pytest.fixture(scope="session")
def mlflow_uri(tmp_path_factory):
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"


@pytest.fixture(scope="session")
def mlflow_client(mlflow_uri):
    from mlflow.tracking import MlflowClient

    return MlflowClient(mlflow_uri, registry_uri=mlflow_uri)
