"""The reports of a store in a browser: pages that are there, and nothing else."""

import http.client
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from r1flow.components.evals.report.site import Site, served
from r1flow.components.store.artifact import ArtifactRef, publish
from r1flow.components.store.local import LocalStore

HOST = "localhost:1"


def put(store: LocalStore, folder: Path, kind: str, fingerprint: str, body: str, **provenance: object) -> ArtifactRef:
    out = folder / fingerprint[:8]
    out.mkdir()
    (out / "report.html").write_text(body)
    return publish(
        store,
        out,
        kind=kind,
        fingerprint=fingerprint,
        version="1",
        config={},
        inputs={},
        seed=7,
        metrics={},
        provenance=provenance,
    )


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    store = LocalStore(tmp_path / "store")
    put(store, tmp_path, "report", "a" * 64, "<p>first</p>", recipe="tiny", started=1.0)
    put(store, tmp_path, "report", "b" * 64, "<p>second</p>", preset="<script>x</script>", started=2.0)  # before 0.2
    put(store, tmp_path, "model", "c" * 64, "not a report")
    return store


@pytest.fixture
def address(store: LocalStore, tmp_path: Path) -> Iterator[str]:
    with served(Site(store, tmp_path / "cache"), 0) as address:
        yield address


def get(address: str, path: str, host: str = HOST, method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)
    connection.request(method, path, headers={"Host": host})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_the_index_links_every_report_newest_first_and_escapes_what_it_shows(address: str) -> None:
    code, body = get(address, "/")
    assert code == 200
    assert body.index("/" + "b" * 16) < body.index("/" + "a" * 16)
    assert "tiny, seed 7" in body
    assert "<script>" not in body


def test_a_page_is_served_under_its_fingerprint(address: str) -> None:
    assert get(address, "/" + "a" * 16) == (200, "<p>first</p>")
    assert get(address, "/" + "a" * 16, method="HEAD") == (200, "")


@pytest.mark.parametrize(
    "path", ["/" + "c" * 16, "/" + "d" * 16, "/../model/" + "c" * 16, "/a", "/%2e%2e/", "/report.html"]
)
def test_whatever_is_no_report_is_not_found(address: str, path: str) -> None:
    assert get(address, path) == (404, "no such report")


@pytest.mark.parametrize("host", ["evil.example:4300", "", "127.0.0.1.evil.example:4300"])
def test_a_request_for_another_host_is_refused(address: str, host: str) -> None:
    assert get(address, "/", host=host)[0] == 403


def test_nothing_can_be_written(address: str) -> None:
    assert get(address, "/" + "a" * 16, method="POST")[0] == 501
    assert get(address, "/" + "a" * 16, method="DELETE")[0] == 501


def test_a_damaged_page_is_an_error_that_says_so(address: str, store: LocalStore, tmp_path: Path) -> None:
    [page] = [path for path in (tmp_path / "store" / "artifacts" / "report" / ("a" * 16)).rglob("report.html")]
    page.chmod(0o644)
    page.write_text("<p>other</p>")
    code, body = get(address, "/" + "a" * 16)
    assert code == 500
    assert "report.html" in body
