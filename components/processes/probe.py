"""Does a server answer? ``python -m r1flow.components.processes.probe URL`` ends with 0 where it does and with 1 where not."""

import socket
import sys
import urllib.request
from urllib.error import HTTPError
from urllib.parse import urlsplit

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy of the environment is for the outside


def answers(url: str, timeout_s: float = 5.0) -> bool:
    """Whether ``http://...`` is answered with a code below 400, or ``tcp://host:port`` accepts a connection."""
    parts = urlsplit(url)
    try:
        if parts.scheme == "tcp":
            socket.create_connection((parts.hostname, parts.port), timeout_s).close()
        else:
            _direct.open(url, timeout=timeout_s).close()
    except (OSError, HTTPError):
        return False
    return True


if __name__ == "__main__":
    sys.exit(not answers(sys.argv[1]))
