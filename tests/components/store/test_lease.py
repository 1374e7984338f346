"""A lease has one holder, outlives no dead one, and never hides that it was lost."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from r1flow.components.core.errors import LeaseHeldError, LeaseLostError, StoreError, StoreUnavailable
from r1flow.components.store import lease as lease_module
from r1flow.components.store.lease import Lease
from r1flow.components.store.objects import open_store
from tests.runs import ROOT

HOLD = (
    "import sys, time\n"
    "from r1flow.components.store.lease import Lease\n"
    "from r1flow.components.store.objects import open_store\n"
    "with Lease(open_store(sys.argv[1]), 'work', ttl_s=float(sys.argv[2])) as lease:\n"
    "    print('held', flush=True)\n"
    "    sys.stdin.readline()\n"
    "    time.sleep(0.2)\n"
    "    print(lease.lost, flush=True)\n"
)


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "store"))


@pytest.fixture
def holder(store):
    started = []

    def start(ttl_s):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, store.uri, str(ttl_s)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def wait_until(condition):
    for _ in range(400):
        if condition():
            return
        time.sleep(0.025)
    pytest.fail("did not happen within ten seconds")


def read(store):
    return json.loads(store.read_bytes("leases/work.json"))


def test_a_lease_is_held_inside_the_block_and_gone_after_it(store):
    with Lease(store, "work", holder={"run": "r7"}) as lease:
        assert lease.held
        assert not lease.lost
        assert read(store)["run"] == "r7"
        assert read(store)["pid"] == os.getpid()
    assert not lease.held
    assert store.list() == []


def test_a_second_holder_is_refused_with_the_first_ones_name(store):
    with Lease(store, "work", holder={"run": "r7"}):
        with pytest.raises(LeaseHeldError, match=rf"held by process {os.getpid()} on .*, run r7, until 20\d\d-"):
            Lease(store, "work").acquire()
        with pytest.raises(LeaseHeldError):
            Lease(store, "work").acquire(wait_s=0.2)
        Lease(store, "other").acquire()


def test_waiting_ends_when_the_holder_gives_back(store, holder):
    process = holder(60)
    process.stdin.write("end\n")
    process.stdin.flush()
    lease = Lease(store, "work")
    lease.acquire(wait_s=30)
    assert read(store)["pid"] == os.getpid()
    lease.release()


@pytest.mark.parametrize("reaped", [True, False])
def test_the_lease_of_a_killed_holder_on_this_machine_is_free_at_once(store, holder, reaped):
    process = holder(3600)
    os.kill(process.pid, signal.SIGKILL)
    if reaped:
        process.wait()
    else:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and still a zombie
    with Lease(store, "work"):
        assert read(store)["pid"] == os.getpid()


def test_a_reused_pid_is_not_the_holder(store):
    with Lease(store, "work"):
        body = read(store)
    store.create("leases/work.json", json.dumps({**body, "token": "x", "started": body["started"] - 100}).encode())
    with Lease(store, "work") as lease:
        assert lease.held


@pytest.mark.parametrize("change", [{"machine": "another"}, {}])
def test_a_live_or_remote_holder_keeps_its_lease_until_it_expires(store, change):
    with Lease(store, "work"):
        body = {**read(store), "token": "x", **change}
    store.create("leases/work.json", json.dumps(body).encode())
    with pytest.raises(LeaseHeldError):
        Lease(store, "work").acquire()
    store.delete("leases/work.json")
    store.create("leases/work.json", json.dumps({**body, "pid": 1 << 30, "expires": time.time() - 1}).encode())
    with Lease(store, "work") as lease:
        assert lease.held


def test_a_held_lease_is_renewed(store):
    with Lease(store, "work", ttl_s=0.6) as lease:
        first = read(store)["expires"]
        wait_until(lambda: read(store)["expires"] > first + 0.6)
        assert not lease.lost
        with pytest.raises(LeaseHeldError):
            Lease(store, "work").acquire()


def test_a_paused_holder_learns_that_it_lost_and_leaves_the_new_one_alone(store, holder):
    process = holder(0.6)
    os.kill(process.pid, signal.SIGSTOP)
    lease = Lease(store, "work", ttl_s=60)
    lease.acquire(wait_s=10)
    os.kill(process.pid, signal.SIGCONT)
    process.stdin.write("end\n")
    process.stdin.flush()
    assert process.communicate(timeout=30)[0] == "True\n"
    assert read(store)["pid"] == os.getpid()
    lease.release()
    assert store.list() == []


def test_a_lease_that_was_taken_away_is_lost_and_logged(store, caplog):
    with Lease(store, "work", ttl_s=0.6) as lease:
        store.delete("leases/work.json")
        store.create("leases/work.json", b"{}")
        wait_until(lambda: lease.lost)
        wait_until(lambda: "was taken over" in caplog.text)
    assert store.read_bytes("leases/work.json") == b"{}"


def test_a_lease_that_expired_unnoticed_is_kept_where_nobody_wanted_it_and_confirming_says_so_where_somebody_did(store):
    with Lease(store, "work", ttl_s=600) as lease:
        lease._expires = time.time() - 1
        assert lease.lost
        lease.confirm()
        assert not lease.lost
        store.delete("leases/work.json")
        store.create("leases/work.json", b"{}")
        with pytest.raises(LeaseLostError, match=r"leases/work\.json expired .* was taken over"):
            lease.confirm()
        assert lease.lost
    assert store.read_bytes("leases/work.json") == b"{}"


def test_a_lease_that_cannot_be_renewed_is_lost_once_it_expires_and_its_release_does_not_raise(store, caplog):
    def fail(*_):
        raise StoreUnavailable("the store is away")

    with Lease(store, "work", ttl_s=0.6) as lease:
        store.swap = fail
        wait_until(lambda: lease.lost)
    assert "could not be renewed: the store is away" in caplog.text
    assert "could not be given back" in caplog.text


def test_an_unreadable_lease_is_named_with_its_mend(store):
    for raw in (b"garbage", b"[]", b"{}", b'{"pid": null}'):
        store.create("leases/work.json", raw)
        with pytest.raises(StoreError, match=r"leases/work\.json is no lease .*delete it"):
            Lease(store, "work").acquire()
        store.delete("leases/work.json")


def test_a_lease_given_back_between_create_and_read_is_taken_in_the_next_round(store):
    create, calls = store.create, []

    def create_late(key, data):
        calls.append(key)
        return create(key, data) if len(calls) > 2 else False

    store.create = create_late
    with Lease(store, "work") as lease:
        assert lease.held
    assert len(calls) == 3


def test_a_body_that_fails_gives_the_lease_back(store):
    def fail():
        with Lease(store, "work"):
            raise ValueError("work failed")

    with pytest.raises(ValueError, match="work failed"):
        fail()
    assert store.list() == []
    assert lease_module.Lease(store, "work").held is False
