"""A real S3 protocol server in this process (moto), with a fault proxy in front of it, and the environment to find them."""

import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.fakes.fault_proxy import FaultProxy

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "fake", "AWS_SECRET_ACCESS_KEY": "fake", "AWS_DEFAULT_REGION": "us-east-1"}


@dataclass(frozen=True)
class S3:
    """``direct`` is the server's own address, ``proxy.url`` the one that faults strike at."""

    direct: str
    proxy: FaultProxy

    def make_bucket(self, name: str) -> None:
        urllib.request.urlopen(urllib.request.Request(f"{self.direct}/{name}", method="PUT")).close()


@contextmanager
def s3_behind_a_proxy() -> Iterator[S3]:
    """Both, for the length of the block."""
    with s3_server() as (host, port), FaultProxy((host, port)) as proxy:
        yield S3(f"http://{host}:{port}", proxy)


@contextmanager
def s3_server() -> Iterator[tuple[str, int]]:
    """The server alone: its host and port. Its buckets outlive it in this process."""
    moto = pytest.importorskip("moto.server")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield server.get_host_and_port()
    finally:
        server.stop()
