"""The S3 store against a real S3 protocol server, through a proxy that can lose, refuse and alter."""

import hashlib
import os
import socket
import subprocess
import sys
import threading
import urllib.request
import uuid

import pytest

from r1flow.components.core.errors import (
    IntegrityError,
    LeaseHeldError,
    ObjectMissingError,
    StoreError,
    StoreUnavailable,
)
from r1flow.components.evals.lake.query import open_lake
from r1flow.components.evals.lake.tables import sources
from r1flow.components.store import objects
from r1flow.components.store.artifact import all_artifacts, check, find, materialize, publish, resolve, verify
from r1flow.components.store.checkpoint import Checkpoints
from r1flow.components.store.lease import Lease
from r1flow.components.store.objects import open_store
from tests.components.evals.lake.lake_store import fill
from tests.fakes.fault_proxy import FaultProxy
from tests.runs import ROOT

pytest.importorskip("moto.server")
pytest.importorskip("s3fs")
FINGERPRINT = "cd" * 32


@pytest.fixture(scope="module")
def server():
    from moto.server import ThreadedMotoServer

    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    yield running.get_host_and_port()
    running.stop()


@pytest.fixture
def bucket(server, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*server))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "fake")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "fake")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    name = f"b-{uuid.uuid4().hex}"
    urllib.request.urlopen(urllib.request.Request(f"{os.environ['AWS_ENDPOINT_URL']}/{name}", method="PUT")).close()
    return name


@pytest.fixture(scope="module")
def shared():
    return []


@pytest.fixture
def store(bucket, shared):
    """A store in a bucket of its own over one client for all tests: to make a client costs more than a test."""
    opened = open_store(f"s3://{bucket}/some/prefix")
    if not shared:
        opened._filesystem()
        shared.append(opened._connection)
    opened._connection = shared[0]
    return opened


@pytest.fixture
def proxy(server, store, monkeypatch):
    store._connection = None
    with FaultProxy(server) as between:
        monkeypatch.setenv("AWS_ENDPOINT_URL", between.url)
        yield between


@pytest.fixture
def work(tmp_path):
    folder = tmp_path / "work"
    (folder / "deep").mkdir(parents=True)
    (folder / "empty").write_bytes(b"")
    (folder / "deep" / "weights.bin").write_bytes(os.urandom(300_000))
    return folder


def put(store, work, **changes):
    facts = {"version": "1", "config": {}, "inputs": {}, "seed": 0, "metrics": {}, "provenance": {}}
    return publish(store, work, kind="model", fingerprint=FINGERPRINT, **{**facts, **changes})


def test_objects_are_created_once_read_listed_swapped_and_deleted(store):
    assert store.create("a/b ä?.bin", b"hello")
    assert not store.create("a/b ä?.bin", b"other")
    assert store.read_bytes("a/b ä?.bin") == b"hello"
    assert store.size("a/b ä?.bin") == 5
    assert store.exists("a/b ä?.bin")
    assert not store.exists("a")
    assert store.create("ab/c", b"")
    assert store.list("a") == ["a/b ä?.bin"]
    assert store.list() == ["a/b ä?.bin", "ab/c"]
    assert store.sizes() == {"a/b ä?.bin": 5, "ab/c": 0}
    assert store.sha256("ab/c") == hashlib.sha256(b"").hexdigest()
    assert not store.swap("ab/c", b"x", b"y")
    assert not store.swap("nothing", b"x", b"y")
    assert store.swap("ab/c", b"", b"y")
    assert store.read_bytes("ab/c") == b"y"
    store.delete("ab/c")
    store.delete("ab/c")
    assert not store.exists("ab/c")
    assert store.local_path("ab/c") is None


def test_files_go_in_and_out_and_are_hashed_in_pieces(store, tmp_path, monkeypatch):
    monkeypatch.setattr(objects, "CHUNK_BYTES", 1000)
    (tmp_path / "in").write_bytes(os.urandom(3500))
    store.put_file(tmp_path / "in", "f")
    store.get_file("f", tmp_path / "made" / "out")
    assert (tmp_path / "made" / "out").read_bytes() == (tmp_path / "in").read_bytes()
    assert store.sha256("f") == hashlib.sha256((tmp_path / "in").read_bytes()).hexdigest()


def test_what_another_client_writes_is_seen_at_once(store, bucket):
    assert store.list() == []
    other = open_store(f"s3://{bucket}/some/prefix")
    other.create("k", b"1")
    assert store.list() == ["k"]
    assert other.swap("k", b"1", b"longer")
    assert store.read_bytes("k") == b"longer"


def test_long_listings_come_page_by_page(store, monkeypatch):
    for number in range(7):
        store.create(f"k/{number}", b"")
    ask = store._filesystem().call_s3
    monkeypatch.setattr(store._filesystem(), "call_s3", lambda method, **more: ask(method, **{**more, "MaxKeys": 3}))
    assert store.list("k") == [f"k/{number}" for number in range(7)]


def test_missing_objects_buckets_and_hidden_versions_are_named(store, tmp_path):
    for method in (store.read_bytes, store.size, store.sha256):
        with pytest.raises(ObjectMissingError, match="some/prefix/nothing"):
            method("nothing")
    with pytest.raises(ObjectMissingError, match="nothing"):
        store.get_file("nothing", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StoreError, match="versionId"):
        store.create("a?versionId=1", b"")
    with pytest.raises(StoreUnavailable, match=r"NoSuchBucket.*create the bucket"):
        open_store("s3://no-such-bucket-here").probe()


def test_what_is_too_large_for_a_document_is_not_read_as_one(store, tmp_path):
    (tmp_path / "large").write_bytes(bytes((8 << 20) + 1))
    store.put_file(tmp_path / "large", "large")
    with pytest.raises(StoreError, match=r"large has 8,388,609 bytes; a document has at most 8,388,608"):
        store.read_bytes("large")


def test_probe_passes_and_leaves_nothing(store):
    store.probe()
    assert store.list() == []


@pytest.mark.parametrize("header", [b"If-None-Match", b"If-Match"])
def test_probe_names_an_endpoint_that_ignores_conditions(store, proxy, header):
    proxy.rewrite = (header, b"X" * len(header))
    with pytest.raises(StoreUnavailable, match=rf"{header.decode()} is ignored.*use"):
        store.probe()
    assert store.list() == []


def test_missing_credentials_are_named_with_their_mend(bucket, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    with pytest.raises(StoreUnavailable, match="set AWS_ACCESS_KEY_ID"):
        open_store(f"s3://{bucket}").exists("k")


def test_a_store_that_is_away_for_good_is_unavailable(bucket, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    with pytest.raises(StoreUnavailable, match=rf"cannot look at s3://{bucket}/k: .*{port}.*AWS_ENDPOINT_URL"):
        open_store(f"s3://{bucket}", deadline_s=0.5).exists("k")


def test_refused_connections_are_tried_again(store, proxy):
    refused = proxy.inject("reset", times=4)
    assert store.create("k", b"x")
    assert store.read_bytes("k") == b"x"
    assert refused.struck == 4


def test_an_endpoint_that_comes_back_is_waited_for(bucket, server, monkeypatch):
    store = open_store(f"s3://{bucket}")
    with socket.create_server(("127.0.0.1", 0)) as unused:
        address = unused.getsockname()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{address[1]}")
    returns = []
    rise = threading.Timer(0.7, lambda: returns.append(FaultProxy(server, address[1]).start()))
    rise.start()
    try:
        assert store.create("k", b"x")
    finally:
        rise.join()
        returns[0].close()


@pytest.mark.parametrize("losses", [1, 3])
def test_a_conditional_write_whose_answer_was_lost_is_known_as_our_own(store, proxy, losses):
    store.exists("warm")
    lost = proxy.inject("lose", times=losses)
    assert store.create("k", b"1")
    lost_too = proxy.inject("lose", times=1)
    assert store.read_bytes("k") == b"1"
    assert (lost.struck, lost_too.struck) == (losses, 1)
    assert not store.create("k", b"2")
    assert store.read_bytes("k") == b"1"


def test_a_failed_upload_shows_nothing(store, proxy, work):
    impatient = open_store(store.uri, deadline_s=0.2)
    proxy.inject("reset")
    with pytest.raises(StoreUnavailable):
        put(impatient, work)
    proxy.heal()
    assert store.list() == []


def test_a_forked_child_uses_the_store_it_inherits(store):
    code = (
        "import os, sys\n"
        "from r1flow.components.store.objects import open_store\n"
        "store = open_store(sys.argv[1])\n"
        "store.create('k', b'x')\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(0 if store.read_bytes('k') == b'x' else 1)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))"
    )
    assert subprocess.run([sys.executable, "-c", code, store.uri], cwd=ROOT, timeout=30).returncode == 0


def test_artifacts_are_published_found_verified_and_fetched_whole(store, work, tmp_path):
    ref = put(store, work)
    assert put(store, work) == ref == find(store, "model", FINGERPRINT) == resolve(store, "cdcd")
    assert [found for found, _ in all_artifacts(store)] == [ref]
    verify(store, ref)
    folder = materialize(store, ref, tmp_path / "cache")
    assert folder == tmp_path / "cache" / "model" / FINGERPRINT[:16]
    assert (folder / "deep" / "weights.bin").read_bytes() == (work / "deep" / "weights.bin").read_bytes()
    assert (folder / "empty").read_bytes() == b""
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_part_is_fetched_alone_and_beside_the_whole(store, work, tmp_path):
    ref = put(store, work)
    folder = materialize(store, ref, tmp_path / "cache", "deep")
    assert [path.name for path in folder.rglob("*")] == ["deep", "weights.bin"]
    (folder / "deep" / "weights.bin").write_bytes(b"x")
    assert materialize(store, ref, tmp_path / "cache", "deep") == folder
    assert (folder / "deep" / "weights.bin").read_bytes() == (work / "deep" / "weights.bin").read_bytes()
    assert materialize(store, ref, tmp_path / "cache") != folder


def test_a_damaged_copy_in_the_cache_is_fetched_again(store, work, tmp_path, caplog):
    ref = put(store, work)
    folder = materialize(store, ref, tmp_path / "cache")
    for damage in (
        lambda: (folder / "deep" / "weights.bin").write_bytes(b"x"),
        lambda: (folder / "empty").unlink(),
        lambda: (folder / "stray").write_text(""),
        lambda: (folder / "hollow").mkdir(),
    ):
        damage()
        caplog.clear()
        assert materialize(store, ref, tmp_path / "cache") == folder
        assert "is fetched again" in caplog.text
        assert sorted(path.name for path in folder.rglob("*")) == ["deep", "empty", "weights.bin"]
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_flipped_byte_in_the_bucket_is_named_and_never_reaches_the_cache(store, work, tmp_path):
    ref = put(store, work)
    for key in store.list():
        whole = store.read_bytes(key)
        if not whole:
            continue
        (tmp_path / "flipped").write_bytes(whole[:50] + bytes([whole[50] ^ 1]) + whole[51:])
        store.put_file(tmp_path / "flipped", key)
        for read in (verify, lambda *at: materialize(*at, tmp_path / "cache")):
            with pytest.raises(IntegrityError, match=rf"{key} is damaged: sha256 expected \S{{64}}, found \w{{64}}"):
                read(store, ref)
        assert not list(tmp_path.glob("cache/model/*"))
        (tmp_path / "whole").write_bytes(whole)
        store.put_file(tmp_path / "whole", key)
    verify(store, ref)


def test_a_check_asks_for_the_manifest_and_one_listing(store, proxy, work):
    ref = put(store, work)
    before = proxy.count(method="GET"), proxy.count(method="HEAD")
    check(store, ref)
    assert (proxy.count(method="GET"), proxy.count(method="HEAD")) == (before[0] + 2, before[1])


def test_a_lost_object_is_named(store, work, tmp_path):
    ref = put(store, work)
    store.delete(next(key for key in store.list() if key.endswith("weights.bin")))
    for read in (check, verify, lambda *at: materialize(*at, tmp_path / "cache")):
        with pytest.raises(IntegrityError, match=r"weights\.bin is missing: sha256 expected \w{64}"):
            read(store, ref)


def test_checkpoints_are_saved_pruned_and_loaded(store, work, tmp_path):
    checkpoints = Checkpoints(store, "runs/a/checkpoints", keep=1)
    for step in (1, 2):
        (work / "empty").write_text(str(step))
        checkpoints.save(step, work)
    assert checkpoints.latest() == 2
    assert not store.list("runs/a/checkpoints/step-000001")
    checkpoints.load(2, tmp_path / "into")
    assert (tmp_path / "into" / "empty").read_text() == "2"
    checkpoints.clear()
    assert store.list() == []


def test_a_lease_is_exclusive_and_given_back(store):
    with Lease(store, "work") as lease:
        assert not lease.lost
        with pytest.raises(LeaseHeldError, match=str(os.getpid())):
            Lease(store, "work").acquire()
    assert store.list() == []


def test_a_lease_whose_renewals_lose_their_answers_stays_ours(store, proxy):
    lease = Lease(store, "work", ttl_s=60)
    lease.acquire()
    lost = proxy.inject("lose", times=1)
    assert lease._renew()
    lease.release()
    assert lost.struck == 1
    assert store.list() == []


def test_the_lake_s_files_are_fetched_once_and_proved(store, tmp_path):
    fill(store, tmp_path / "made")
    files = sources(store, tmp_path / "cache")
    assert all(source.path.is_relative_to(tmp_path / "cache") for source in files)
    with open_lake(files) as lake:
        assert lake.ask("SELECT count(*) FROM rollouts").rows == [(6,)]
    stamps = [source.path.stat().st_mtime_ns for source in files]
    assert [source.path.stat().st_mtime_ns for source in sources(store, tmp_path / "cache")] == stamps
    size = files[0].path.stat().st_size
    files[0].path.write_bytes(b"x" * size)
    with pytest.raises(IntegrityError, match="is not what"):
        sources(store, tmp_path / "cache")


def test_uploads_that_never_ended_are_thrown_away_once_they_are_old(store, bucket, tmp_path):
    client = store._filesystem()
    for key in ("some/prefix/data/big", "elsewhere/big"):
        client.call_s3("create_multipart_upload", Bucket=bucket, Key=key)
    store.create("data/whole", b"1")
    assert store.abort_uploads(100 * 365 * 86400.0) == 0  # this server says of every upload that it began in 2010
    assert store.abort_uploads(3600) == 1
    left = client.call_s3("list_multipart_uploads", Bucket=bucket).get("Uploads", [])
    assert [upload["Key"] for upload in left] == ["elsewhere/big"]
    assert store.read_bytes("data/whole") == b"1"
    assert store.abort_uploads(0) == 0
