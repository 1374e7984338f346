"""No user and no password of an address survives; everything else does."""

import pytest

from r1flow.components.core.redact import redact


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://me:secret@host:5000/api", "http://***@host:5000/api"),
        ("postgresql+psycopg2://me:se%2Fcret@db/mlflow?x=1", "postgresql+psycopg2://***@db/mlflow?x=1"),
        ("a http://tok@h, b s3://k:s@bucket/p", "a http://***@h, b s3://***@bucket/p"),
        ("http://me:se@cret@host/x", "http://***@host/x"),
        ("sqlite:////home/me@work/mlflow.db", "sqlite:////home/me@work/mlflow.db"),
        ("file:///a/b@c and me@host and s3://bucket/a@b", "file:///a/b@c and me@host and s3://bucket/a@b"),
    ],
)
def test_credentials_are_taken_out_of_addresses_and_nothing_else(text, shown):
    assert redact(text) == shown
