"""Runs over an S3 server that fails them: one that is gone is named and loses nothing, one that comes back is hardly noticed."""

import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from r1flow.components.store.artifact import all_artifacts, verify
from r1flow.components.store.objects import MAX_RETRIES, ObjectStore, open_store
from tests.conftest import Ran
from tests.fakes.s3_server import CREDENTIALS, S3, s3_behind_a_proxy
from tests.faults.matrix import contents
from tests.runs import ROOT, ZERO, environment, r1, stages

BUCKET = "outages"
IMPATIENT = """
from r1flow.components.store.objects import open_store
open_store.__kwdefaults__["deadline_s"] = 2.0
import contextlib
import r1flow.cli.run as run
inner = run.prefect_api
@contextlib.contextmanager
def prefect_api(settings):
    with inner(settings) as standing:
        import r1flow.tasks.policy  # not before: it imports Prefect, whose settings are read once
        r1flow.tasks.policy.DELAYS_S[:] = [0.1, 0.1]
        yield standing
run.prefect_api = prefect_api
from r1flow.cli.main import main
main()
"""
"""`r1` that gives a store two seconds in place of sixty, and tries a stage again at once."""


@pytest.fixture
def s3() -> Iterator[S3]:
    with s3_behind_a_proxy() as servers:
        servers.make_bucket(BUCKET)
        yield servers


@pytest.fixture
def extra(s3: S3) -> dict[str, str]:
    return CREDENTIALS | {"AWS_ENDPOINT_URL": s3.proxy.url}


@pytest.fixture
def direct(s3: S3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ObjectStore:
    """The run's store, past the proxy."""
    for name, value in (CREDENTIALS | {"AWS_ENDPOINT_URL": s3.direct}).items():
        monkeypatch.setenv(name, value)
    store = open_store(f"s3://{BUCKET}/{tmp_path.name}")
    store.list()
    return store


def put_all_but_r1_zero(smoke: Ran, store: ObjectStore) -> None:
    """What the shared run has published and r1_zero alone needs: reused, so that the test is about one stage."""
    local = smoke.home / "store"
    for name in ("suites", "problems", "certify/exact", "r1_zero/gradient", "base", "evaluate/base"):
        ref = stages(smoke.summary)[name]["ref"]
        folder = local / "artifacts" / ref["kind"] / ref["fingerprint"][:16]
        for path in sorted(folder.rglob("*"), key=lambda path: path.name == "MANIFEST.json"):
            if path.is_file():
                store.put_file(path, path.relative_to(local).as_posix())


@pytest.mark.slow
def test_a_store_that_goes_for_good_at_publication_loses_nothing_and_the_next_run_finishes(
    smoke: Ran, s3: S3, direct: ObjectStore, extra: dict[str, str], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    put_all_but_r1_zero(smoke, direct)
    settings = ["run", ZERO, "--set", f"store={direct.uri}", "--json", str(home / "s.json")]
    s3.proxy.inject("reset", method="HEAD", path="/artifacts/rl/", times=1, then=lambda: s3.proxy.inject("reset"))
    done = subprocess.run(
        [sys.executable, "-c", IMPATIENT, *settings],
        env=environment(home, extra=extra),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    s3.proxy.heal()
    assert done.returncode == 1, done.stdout + done.stderr
    assert "r1_zero: StoreUnavailable: cannot " in done.stderr
    assert "check AWS_ENDPOINT_URL" in done.stderr
    (model,) = home.glob("work/rl-*/out/model/model.safetensors")
    trained = model.read_bytes()
    published = [ref for ref, _ in all_artifacts(direct)]
    assert "rl" not in {ref.kind for ref in published}
    for ref in published:
        verify(direct, ref)

    before = s3.proxy.count("PUT", "/checkpoints/rl/")
    assert r1(home, *settings, extra=extra).returncode == 0
    assert s3.proxy.count("PUT", "/checkpoints/rl/") == before  # no step was computed again
    zero = stages(json.loads((home / "s.json").read_text()))["r1_zero"]
    assert not zero["reused"]
    (weights,) = (key for key in direct.list("artifacts/rl") if key.endswith("/model.safetensors"))
    assert direct.size(weights) == len(trained)
    assert direct.list("checkpoints") == []
    left = [key for key in direct.list("leases") if not key.startswith("leases/runs/")]
    assert left == []  # the lease of the run that could not give it back expires, and housekeeping removes it


@pytest.mark.slow
def test_a_whole_run_passes_half_a_minute_of_503_and_every_other_fault_and_ends_with_the_same_bytes(
    smoke: Ran, s3: S3, direct: ObjectStore, extra: dict[str, str], tmp_path: Path
) -> None:
    proxy = s3.proxy
    for kind, method, path in (
        ("lose", "PUT", "MANIFEST.json"),
        ("lose", "PUT", "leases/"),
        ("lose", "PUT", "COMPLETE.json"),
        ("lose", "PUT", "promotions/"),
        ("cut_request", "PUT", "/data/"),
        ("cut_response", "GET", "/data/"),
        ("cut_response", "GET", "MANIFEST.json"),
        ("reset", "HEAD", "/artifacts/"),
    ):
        proxy.inject(kind, method=method, path=path, times=2, after=1000)
    proxy.inject("busy", method="PUT", path="/state/", times=1, then=lambda: proxy.inject("busy", seconds=30))
    home = tmp_path / "home"
    home.mkdir()
    ended, seen = threading.Event(), set()

    def poll() -> None:
        while not ended.wait(0.1):
            for ref, _ in all_artifacts(direct):
                if ref.fingerprint not in seen:
                    verify(direct, ref)  # IntegrityError: something partial was shown
                    seen.add(ref.fingerprint)

    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(poll)
        try:
            done = r1(home, "run", "smoke", "--set", f"store={direct.uri}", timeout=500, extra=extra)
        finally:
            ended.set()
        reader.result(60)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    struck = Counter(request.fault for request in proxy.requests)
    assert struck["lose"] == 8
    assert struck["cut_request"] == 2
    assert struck["cut_response"] == 4
    assert struck["reset"] == 2
    assert struck["busy"] > 5
    repeated = Counter((r.method, r.target) for r in proxy.requests if r.fault)
    assert max(repeated.values()) <= 4 * (1 + MAX_RETRIES)
    assert contents(direct) == contents(open_store(str(smoke.home / "store")))
