"""Addresses without the passwords in them: for logs, messages, tags and tables."""

import re

_USER = re.compile(r"(\b[a-zA-Z][a-zA-Z0-9+.-]*://)[^\s/?#'\"<>]+@")


def redact(text: str) -> str:
    """``text`` with the user and password of every address in it taken out.

    >>> redact("cannot reach postgresql://r1:secret@db/mlflow")
    'cannot reach postgresql://***@db/mlflow'
    """
    return _USER.sub(r"\1***@", text)
