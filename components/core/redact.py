"""Texts without what must not be shown: passwords in addresses, and what a terminal obeys."""

import re

_USER = re.compile(r"(\b[a-zA-Z][a-zA-Z0-9+.-]*://)[^\s/?#'\"<>]+@")


def redact(text: str) -> str:
    """``text`` with the user and password of every address in it taken out.

    >>> redact("cannot reach postgresql://r1:secret@db/mlflow")
    'cannot reach postgresql://***@db/mlflow'
    """
    return _USER.sub(r"\1***@", text)


def escaped(text: str, keep: str = "") -> str:
    r"""``text`` with what no terminal should obey and no file can hold as escapes: a stranger wrote it.

    Control characters and lone surrogates, ``keep`` apart.

    >>> escaped("ends in \x1b[2J\n"), escaped("a\nb", keep="\n")
    ('ends in \\x1b[2J\\n', 'a\nb')
    """
    return "".join(c if c.isprintable() or c in keep else ascii(c)[1:-1] for c in text)
