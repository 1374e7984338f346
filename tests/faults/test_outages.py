"""S3 on bad days, at each phase of a run: what was asked for is done once and whole, or fails clearly and loses nothing."""

import hashlib
import os
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tenacity import wait_none, wait_random

from r1flow.components.core.errors import StoreUnavailable
from r1flow.components.store import objects
from r1flow.components.store.artifact import all_artifacts, find, materialize, publish, verify
from r1flow.components.store.checkpoint import Checkpoints
from r1flow.components.store.lease import Lease
from r1flow.components.store.manifest import ArtifactRef
from r1flow.components.store.objects import MAX_RETRIES, S3Store, open_store
from r1flow.components.tracking.promotions import append_promotion, promotions
from tests.fakes.fault_proxy import FaultProxy, Kind
from tests.fakes.s3_server import CREDENTIALS, S3, s3_behind_a_proxy

MODEL = "outage"


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with s3_behind_a_proxy() as servers, pytest.MonkeyPatch.context() as patch:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        yield servers


@pytest.fixture(scope="module")
def clients(s3: S3) -> dict[str, Any]:
    """One S3 client by the proxy and one past it: to make a client costs more than a test."""
    made = {}
    for name, url in (("proxy", s3.proxy.url), ("direct", s3.direct)):
        os.environ["AWS_ENDPOINT_URL"] = url
        store = open_store("s3://none")
        assert isinstance(store, S3Store)
        store._filesystem().connect()
        made[name] = store._connection
    return made


@pytest.fixture
def stores(s3: S3, clients: dict[str, Any]) -> Iterator[tuple[S3Store, S3Store]]:
    """One place, seen by the proxy and directly."""
    bucket = f"b-{uuid.uuid4().hex}"
    s3.make_bucket(bucket)
    s3.proxy.requests.clear()
    opened = []
    for name in ("proxy", "direct"):
        store = open_store(f"s3://{bucket}/p")
        assert isinstance(store, S3Store)
        store._connection = clients[name]
        opened.append(store)
    yield opened[0], opened[1]
    s3.proxy.heal()


@pytest.fixture
def store(stores: tuple[S3Store, S3Store]) -> S3Store:
    return stores[0]


@pytest.fixture
def proxy(s3: S3) -> FaultProxy:
    return s3.proxy


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many repetitions as ever, without the pauses between them."""
    monkeypatch.setattr(objects, "wait_exponential", lambda **_: wait_none())
    monkeypatch.setattr(objects, "wait_random_exponential", lambda **_: wait_random(0, 0.02))


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    (folder / "deep").mkdir(parents=True)
    for number in range(3):
        (folder / "deep" / f"{number}.bin").write_bytes(random.Random(number).randbytes(20_000))
    return folder


def put(store: S3Store, work: Path, name: str = "a") -> ArtifactRef:
    facts: dict[str, Any] = {"config": {}, "inputs": {}, "seed": 0, "metrics": {}, "provenance": {}}
    return publish(store, work, kind="model", fingerprint=digest(name), version="1", **facts)


def digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def made_up(name: str) -> ArtifactRef:
    return ArtifactRef(kind="model", fingerprint=digest(name), uri=f"s3://b/{name}", manifest_sha256=digest(name))


# What a run does with its store. Each does it, and proves past the proxy that it was done once and whole.


def publishing(store: S3Store, direct: S3Store, work: Path) -> None:
    ref = put(store, work)
    assert [file.path for file in verify(direct, ref).files] == ["deep/0.bin", "deep/1.bin", "deep/2.bin"]


def leasing(store: S3Store, direct: S3Store, work: Path) -> None:
    lease = Lease(store, "work")
    lease.acquire()
    lease.confirm()
    assert direct.list("leases") == ["leases/work.json"]
    lease.release()
    assert direct.list("leases") == []


def checkpointing(store: S3Store, direct: S3Store, work: Path) -> None:
    kept = Checkpoints(store, "checkpoints/a/state", keep=1)
    for step in (1, 2):
        (work / "step").write_text(str(step))
        kept.save(step, work)
    kept.load(2, work.with_name("loaded"))
    assert (work.with_name("loaded") / "step").read_text() == "2"
    assert {key.split("/")[3] for key in direct.list("checkpoints")} == {"step-000002"}


def fetching(store: S3Store, direct: S3Store, work: Path) -> None:
    folder = materialize(store, put(direct, work), work.with_name("cache"))
    assert (folder / "deep" / "2.bin").read_bytes() == (work / "deep" / "2.bin").read_bytes()
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def promoting(store: S3Store, direct: S3Store, work: Path) -> None:
    first = append_promotion(store, MODEL, made_up("one"), made_up("e"), {}, after=[], by="us")
    append_promotion(store, MODEL, made_up("two"), made_up("e"), {}, after=promotions(store, MODEL), by="us")
    assert [entry.ref.fingerprint for entry in promotions(direct, MODEL)] == [digest("one"), digest("two")]
    assert first.number == 1


Phase = Callable[[S3Store, S3Store, Path], None]
PLACES: dict[str, tuple[Phase, str, str]] = {
    "upload": (publishing, "PUT", "/data/"),
    "look before upload": (publishing, "HEAD", "/data/"),
    "manifest": (publishing, "PUT", "MANIFEST.json"),
    "lease": (leasing, "PUT", "leases/"),
    "lease given back": (leasing, "DELETE", "leases/"),
    "checkpoint": (checkpointing, "PUT", "/state/"),
    "checkpoint complete": (checkpointing, "PUT", "COMPLETE.json"),
    "checkpoint loaded": (checkpointing, "GET", "/state/"),
    "checkpoints listed": (checkpointing, "GET", "prefix="),
    "manifest read": (fetching, "GET", "MANIFEST.json"),
    "download": (fetching, "GET", "/data/"),
    "promotion": (promoting, "PUT", "promotions/"),
    "promotions read": (promoting, "GET", "promotions/"),
}
FAULTS: list[Kind] = ["busy", "reset", "cut_request", "cut_response", "lose"]
HURTING = [(name, fault) for name in PLACES for fault in FAULTS if fault != "cut_response" or PLACES[name][1] == "GET"]
"""Other answers have no body that could be cut."""


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(("place", "fault"), HURTING)
def test_every_phase_survives_every_fault_within_bounded_repetitions(
    stores: tuple[S3Store, S3Store], proxy: FaultProxy, work: Path, place: str, fault: Kind
) -> None:
    phase, method, path = PLACES[place]
    struck = proxy.inject(fault, method=method, path=path, times=2, after=50)
    phase(*stores, work)
    assert struck.struck == 2
    hit = Counter(r.target for r in proxy.requests if r.fault)
    asked = Counter(r.target for r in proxy.requests if r.fits(method, path))
    usual = max((n for target, n in asked.items() if target not in hit), default=3)
    assert all(asked[target] <= usual + times for target, times in hit.items())


@pytest.mark.parametrize("fault", ["busy", "reset"])
def test_an_outage_of_a_second_at_every_phase_at_once_passes_unnoticed(
    stores: tuple[S3Store, S3Store], proxy: FaultProxy, tmp_path: Path, work: Path, fault: Kind
) -> None:
    del work  # each phase gets its own
    outage = proxy.inject(fault, seconds=1.5)

    def play(phase: Phase) -> None:
        folder = tmp_path / phase.__name__ / "work"
        (folder / "deep").mkdir(parents=True)
        for number in range(3):
            (folder / "deep" / f"{number}.bin").write_bytes(random.Random(number).randbytes(20_000))
        phase(*stores, folder)

    phases = {phase for phase, _, _ in PLACES.values()}
    with ThreadPoolExecutor(len(phases)) as pool:
        list(pool.map(play, phases))
    assert outage.struck >= len(phases)
    assert max(Counter((r.method, r.target) for r in proxy.requests if r.fault).values()) <= 2 * (1 + MAX_RETRIES)


@pytest.mark.usefixtures("hasty")
def test_who_polls_meanwhile_sees_whole_artifacts_alone(
    stores: tuple[S3Store, S3Store], proxy: FaultProxy, work: Path
) -> None:
    store, direct = stores
    ended, seen, polls = threading.Event(), set(), [0]

    def poll() -> None:
        while not ended.is_set():
            polls[0] += 1
            for ref, _ in all_artifacts(direct):
                if ref.fingerprint not in seen:
                    verify(direct, ref)  # IntegrityError: something partial was shown
                    seen.add(ref.fingerprint)

    chance = random.Random(6)
    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(poll)
        try:
            for number in range(20):
                for place in (("PUT", "/data/"), ("PUT", "MANIFEST.json"), ("HEAD", "")):
                    fault = chance.choice(FAULTS)
                    proxy.inject(fault, method=place[0], path=place[1], times=1, after=chance.randrange(20_000))
                (work / "name").write_text(str(number))
                put(store, work, str(number))
                proxy.heal()
        finally:
            ended.set()
        reader.result(60)
    assert len(all_artifacts(direct)) == 20
    assert polls[0] > 1
    assert seen


def test_a_store_that_is_down_for_good_is_said_to_be_and_the_next_try_finishes(
    stores: tuple[S3Store, S3Store], proxy: FaultProxy, work: Path
) -> None:
    store, direct = stores
    store.deadline_s = 2.0
    before = {path: path.read_bytes() for path in work.rglob("*.bin")}
    began = time.monotonic()
    down = proxy.inject("reset")
    with pytest.raises(StoreUnavailable, match=r"cannot look at s3://\S+/deep/\d\.bin: .*check AWS_ENDPOINT_URL"):
        put(store, work)
    assert proxy.requests[-1].at - began < store.deadline_s + 1  # nothing was begun after the deadline
    assert down.struck <= 3 * 2 * (1 + MAX_RETRIES)
    assert {path: path.read_bytes() for path in work.rglob("*.bin")} == before
    assert direct.list() == []
    proxy.heal()
    assert verify(direct, put(store, work))


@pytest.mark.usefixtures("hasty")
def test_what_arrived_though_the_store_was_given_up_is_ours_afterwards(
    stores: tuple[S3Store, S3Store], proxy: FaultProxy, work: Path
) -> None:
    """Success that looks like failure until the last repetition: of a renewal, a manifest, a promotion."""
    store, direct = stores
    lease = Lease(store, "work")
    lease.acquire()
    proxy.inject("lose", method="PUT", path="leases/")
    with pytest.raises(StoreUnavailable):
        lease.confirm()
    proxy.heal()
    lease.confirm()
    lease.release()
    assert direct.list("leases") == []

    proxy.inject("lose", method="PUT", path="MANIFEST.json")
    with pytest.raises(StoreUnavailable):
        put(store, work)
    proxy.heal()
    assert put(store, work) == find(direct, "model", digest("a"))

    proxy.inject("lose", method="PUT", path="promotions/")
    with pytest.raises(StoreUnavailable):
        append_promotion(store, MODEL, made_up("one"), made_up("e"), {}, after=[], by="us")
    proxy.heal()
    entry = append_promotion(store, MODEL, made_up("one"), made_up("e"), {}, after=[], by="us")
    assert [entry] == promotions(direct, MODEL)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("fault", ["lose", "reset", "busy"])
def test_a_large_file_survives_faults_at_each_request_of_its_upload(
    stores: tuple[S3Store, S3Store], proxy: FaultProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Kind
) -> None:
    """In parts of 5 MiB, the smallest that S3 takes; the answer to the last request, which makes the object, may be lost too."""
    import s3fs.core

    store, direct = stores
    monkeypatch.setattr(s3fs.core, "calculate_chunksize", lambda *_, **__: 5 << 20)
    (tmp_path / "large").write_bytes(random.Random(0).randbytes(11 << 20))
    for method, path in (("POST", "uploads"), ("PUT", "partNumber=2"), ("POST", "uploadId=")):
        proxy.inject(fault, method=method, path=path, times=1)
    store.put_file(tmp_path / "large", "large")
    assert direct.sha256("large") == hashlib.sha256((tmp_path / "large").read_bytes()).hexdigest()
