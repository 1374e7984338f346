"""Whoever looks while publishers are killed at random sees whole artifacts alone."""

import subprocess
import sys
from pathlib import Path

from r1flow.components.store.artifact import all_artifacts, verify
from r1flow.components.store.objects import open_store
from tests.runs import ROOT, environment

COUNT = 200


def test_of_two_hundred_publications_amid_kills_none_is_ever_seen_in_part(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    (tmp_path / "work").mkdir()
    arguments = [sys.executable, "-m", "tests.faults.publishers", store.uri, str(tmp_path / "work"), str(COUNT)]
    publishers = subprocess.Popen(arguments, cwd=ROOT, env=environment(tmp_path), stdout=subprocess.PIPE, text=True)
    seen: set[str] = set()
    try:
        while publishers.poll() is None:
            for ref, _ in all_artifacts(store):
                if ref.fingerprint not in seen:
                    verify(store, ref)  # IntegrityError: something partial was shown
                    seen.add(ref.fingerprint)
    finally:
        publishers.kill()
    printed, _ = publishers.communicate()
    assert publishers.returncode == 0
    assert int(printed) >= 3
    assert seen
    assert [verify(store, ref).kind for ref, _ in all_artifacts(store)] == ["model"] * COUNT
