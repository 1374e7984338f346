"""Several processes at once, on a directory and on an S3 server: one winner, nothing lost, nothing torn."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
import uuid

import pytest

from r1flow.components.store.artifact import all_artifacts, publish, verify
from r1flow.components.store.objects import open_store
from tests.fakes.s3_server import s3_server
from tests.runs import ROOT

FINGERPRINT = "ab" * 32


@pytest.fixture(scope="module")
def server():
    with s3_server() as (host, port):
        yield f"http://{host}:{port}"


@pytest.fixture(params=["local", "s3"])
def store(request, tmp_path, monkeypatch):
    if request.param == "local":
        return open_store(str(tmp_path / "store"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", request.getfixturevalue("server"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "fake")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "fake")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    pytest.importorskip("s3fs")
    bucket = f"race-{uuid.uuid4().hex}"
    urllib.request.urlopen(urllib.request.Request(f"{os.environ['AWS_ENDPOINT_URL']}/{bucket}", method="PUT")).close()
    return open_store(f"s3://{bucket}/prefix")


RACER = """
import json, os, sys
from pathlib import Path
from r1flow.components.store import artifact, lease
from r1flow.components.store.objects import open_store
shared = None
for line in sys.stdin:
    code, uri, arguments, environment = json.loads(line)
    os.environ.update(environment)
    store = open_store(uri)
    if uri.startswith("s3://"):  # one client for all races: to make one costs more than a race
        store._connection = shared
        store.exists("warm")
        shared = store._connection
    print("ready", flush=True)
    sys.stdin.readline()
    exec(code)
    sys.stdout.flush()
"""


@pytest.fixture(scope="module")
def racers():
    """Four processes that stay: loading an S3 client costs more than a race."""
    started = [start_racer() for _ in range(4)]
    yield started
    for racer in started:
        racer.kill()
        racer.communicate()


def start_racer():
    arguments = [sys.executable, "-c", RACER]
    return subprocess.Popen(arguments, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def race(racers, code, store, *arguments):
    """What each of ``racers`` prints, as JSON, after running ``code`` from one starting gun on; None from the dead."""
    environment = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    for number, racer in enumerate(racers):
        print(json.dumps([code, store.uri, [*arguments, str(number)], environment]), file=racer.stdin, flush=True)
    assert [racer.stdout.readline() for racer in racers] == ["ready\n"] * len(racers)
    for racer in racers:
        print("go", file=racer.stdin, flush=True)
    return [json.loads(line) if (line := racer.stdout.readline()) else None for racer in racers]


def test_four_processes_create_the_same_objects_and_each_has_one_winner(store, racers):
    wins = race(racers, "print([n for n in range(20) if store.create(f'race/{n}', arguments[0].encode())])", store)
    assert sorted(number for won in wins for number in won) == list(range(20))
    for number in range(20):
        assert number in wins[int(store.read_bytes(f"race/{number}"))]


def test_four_processes_count_by_swap_and_lose_no_count(store, racers):
    store.create("count", b"0")
    code = (
        "done = 0\n"
        "while done < 8:\n"
        "    old = store.read_bytes('count')\n"
        "    done += store.swap('count', old, str(int(old) + 1).encode())\n"
        "print(done)"
    )
    race(racers, code, store)
    assert store.read_bytes("count") == b"32"


PUBLISH = (
    "try:\n"
    "    ref = artifact.publish(store, Path(arguments[0]), kind='model', fingerprint='ab' * 32, version='1',\n"
    "        config={}, inputs={}, seed=0, metrics={}, provenance={'racer': arguments[-1]})\n"
    "    print(ref.model_dump_json())\n"
    "except Exception as error:\n"
    "    print(json.dumps(repr(error)))"
)


def test_four_processes_publish_one_fingerprint_and_all_adopt_the_winner(store, racers, tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    for number in range(5):
        (work / f"part-{number}").write_bytes(bytes([number]) * 70_000)
    refs = race(racers, PUBLISH, store, str(work))
    ((published, _),) = all_artifacts(store)
    assert refs == [published.model_dump()] * 4
    verify(store, published)


def test_racing_publishers_with_other_bytes_leave_one_whole_artifact_and_learn_that_they_lost(store, racers, tmp_path):
    code = "arguments[0] += arguments[-1]\n" + PUBLISH
    for number in range(4):
        (tmp_path / f"work{number}").mkdir()
        (tmp_path / f"work{number}" / "weights").write_bytes(bytes([number]) * 70_000)
    answers = race(racers, code, store, str(tmp_path / "work"))
    ((published, _),) = all_artifacts(store)
    assert answers.count(published.model_dump()) == 1
    assert sum("published before with other files" in answer for answer in answers if isinstance(answer, str)) == 3
    verify(store, published)


def test_four_processes_take_turns_under_one_lease(store, racers):
    store.create("turns", b"[]")
    code = (
        "held = lease.Lease(store, 'turns', ttl_s=60)\n"
        "held.acquire(wait_s=50)\n"
        "with held:\n"  # read-modify-write without protection of its own
        "    turns = store.read_bytes('turns')\n"
        "    store.delete('turns')\n"
        "    assert store.create('turns', json.dumps([*json.loads(turns), arguments[0]]).encode())\n"
        "print(1)"
    )
    assert race(racers, code, store) == [1] * 4
    assert sorted(json.loads(store.read_bytes("turns"))) == ["0", "1", "2", "3"]
    assert store.list("leases") == []


def test_a_publisher_that_dies_midway_leaves_nothing_to_see_and_the_next_one_finishes(store, tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    for number in range(6):
        (work / f"part-{number}").write_bytes(bytes([number]) * 70_000)
    code = (
        "import os, signal\n"
        "put, count = store.put_file, []\n"
        "def put_or_die(*arguments):\n"
        "    count.append(1)\n"
        "    os.kill(os.getpid(), signal.SIGKILL) if len(count) > 3 else put(*arguments)\n"
        "store.put_file = put_or_die\n"
    ) + PUBLISH
    racer = start_racer()
    assert race([racer], code, store, str(work)) == [None]
    racer.communicate(timeout=30)
    assert racer.returncode == -signal.SIGKILL
    assert all_artifacts(store) == []
    ref = publish(
        store,
        work,
        kind="model",
        fingerprint=FINGERPRINT,
        version="1",
        config={},
        inputs={},
        seed=0,
        metrics={},
        provenance={},
    )
    assert verify(store, ref).files[5].path == "part-5"
