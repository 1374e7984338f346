"""The report pages of a store for a browser on this machine: an index, newest first, and every page under its fingerprint.

Nothing but GET and HEAD, nothing but reports, nothing for a page of another site: a request that names another host than
this machine (a name that an attacker lets point here) is refused, and no script of a page would run.
"""

import html
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from r1flow.components.core.errors import DataError, R1Error
from r1flow.components.store.artifact import materialize, resolve
from r1flow.components.store.manifest import MANIFEST, Manifest, read_at
from r1flow.components.store.objects import ObjectStore
from r1flow.components.store.runs import recipe_name

ADDRESS = "127.0.0.1"
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Site:
    """What is shown at a path: ``/`` is the index, ``/FINGERPRINT`` a page, every byte of it verified."""

    def __init__(self, store: ObjectStore, cache: Path) -> None:
        self._store = store
        self._cache = cache

    def page(self, path: str) -> bytes | None:
        """The page at ``path``, or None."""
        if path == "/":
            return self._index().encode()
        try:
            ref = resolve(self._store, f"report{path}")
        except DataError:
            return None
        return (materialize(self._store, ref, self._cache) / "report.html").read_bytes()

    def _index(self) -> str:
        keys = [key for key in self._store.list("artifacts/report") if key.endswith(f"/{MANIFEST}")]
        manifests = [read_at(self._store, key)[0] for key in keys]
        newest = sorted(manifests, key=lambda m: m.provenance.get("started", 0), reverse=True)
        lines = "".join(f"<li>{_line(manifest)}</li>" for manifest in newest)
        store = html.escape(self._store.uri)
        return (
            f"<!doctype html><title>r1flow reports</title><h1>Reports</h1><p>{store}</p><ul>{lines or 'none yet'}</ul>"
        )


def _line(manifest: Manifest) -> str:
    """A link with recipe, seed and time."""
    began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(manifest.provenance.get("started", 0)))
    what = f"{recipe_name(manifest.provenance) or 'report'}, seed {manifest.seed}, {began}"
    return f'<a href="/{manifest.fingerprint[:16]}">{html.escape(what)}</a>'


@contextmanager
def served(site: Site, port: int) -> Iterator[str]:
    """The site's address on loopback, answered by a thread until the end of the block. OSError where the port is taken."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host = self.headers.get("Host", "").rpartition(":")[0]
            if host not in (ADDRESS, "localhost"):
                self._answer(403, b"this machine alone")
                return
            try:
                page = site.page(self.path)
            except R1Error as error:  # a damaged artifact, a store that is away: said where it was asked for
                self._answer(500, html.escape(str(error)).encode())
                return
            self._answer(*((404, b"no such report") if page is None else (200, page)))

        do_HEAD = do_GET

        def _answer(self, code: int, body: bytes) -> None:
            self.send_response(code)
            for name, value in {**HEADERS, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Who looked at which page is of no interest."""

    with ThreadingHTTPServer((ADDRESS, port), Handler) as server:
        thread = Thread(target=server.serve_forever, name="reports", daemon=True)
        thread.start()
        try:
            yield f"http://{ADDRESS}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
