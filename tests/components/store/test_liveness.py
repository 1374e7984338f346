"""A run lives while its lease does; a dead one's lease is found, and taken over by one tidier alone."""

import subprocess
import sys

import pytest

from r1flow.components.store.lease import read_lease
from r1flow.components.store.liveness import RUNS, any_run_lives, left_over, run_lease, taken_over
from r1flow.components.store.objects import open_store
from tests.runs import ROOT

ABANDON = """
import os, sys
from r1flow.components.store.lease import read_lease
from r1flow.components.store.liveness import run_lease
from r1flow.components.store.objects import open_store
run_lease(open_store(sys.argv[1]), sys.argv[2], "flow-7").acquire()
os._exit(9)
"""


def _die_with_lease(store, run):
    subprocess.run([sys.executable, "-c", ABANDON, store.uri, run], check=False, cwd=ROOT)


def test_the_lease_of_a_dead_process_is_left_over_and_a_living_one_is_not(tmp_path):
    store = open_store(str(tmp_path))
    assert not any_run_lives(store)
    _die_with_lease(store, "dead")
    assert not any_run_lives(store)
    with run_lease(store, "alive"):
        assert any_run_lives(store)
        (found,) = left_over(store, RUNS)
        assert (found.name, found.holder["run"], found.holder["flow_run"]) == ("runs/dead", "dead", "flow-7")
        with taken_over(store, found) as ours, taken_over(store, found) as again:
            assert (ours, again) == (True, False)
        assert list(left_over(store, RUNS)) == []
    assert not any_run_lives(store)
    assert store.list("leases") == []


def test_tidying_that_fails_leaves_the_lease_with_what_its_holder_had_said(tmp_path):
    store = open_store(str(tmp_path))
    _die_with_lease(store, "dead")
    (found,) = left_over(store, RUNS)
    with pytest.raises(OSError, match="no server"), taken_over(store, found):
        raise OSError("no server")
    holder, free = read_lease(store, "runs/dead")
    assert (holder["run"], holder["flow_run"], free) == ("dead", "flow-7", False)  # free once this process has ended
