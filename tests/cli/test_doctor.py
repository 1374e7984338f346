"""The doctor's findings about clocks and slots."""

import pytest

from r1flow.cli import doctor
from r1flow.components.recipe.settings import Settings
from r1flow.components.store.local import LocalStore
from r1flow.components.store.objects import open_store
from r1flow.components.store.probe import clock_difference


def test_a_clock_that_is_far_off_is_found(tmp_path, monkeypatch):
    store = open_store(str(tmp_path / "store"))
    assert abs(clock_difference(store)) < 5
    assert store.list() == []
    settings = Settings(home=tmp_path)
    assert doctor._clock(settings).ok
    monkeypatch.setattr(LocalStore, "written_at", lambda self, key: self._existing(key).stat().st_mtime + 100)
    found = doctor._clock(settings)
    assert (found.ok, found.needed) == (False, True)
    assert "100 s ahead of this" in found.detail
    assert "NTP" in found.detail


@pytest.mark.parametrize(
    ("server", "said"), [("", "set PREFECT_API_URL"), ("http://127.0.0.1:9/api", "prefect gcl create gpu")]
)
def test_slots_without_their_limit_are_named_with_the_mend(tmp_path, monkeypatch, server, said):
    monkeypatch.setenv("PREFECT_API_URL", server)
    monkeypatch.setenv("PREFECT_CLIENT_MAX_RETRIES", "0")
    assert doctor._slots(Settings(home=tmp_path)).ok
    found = doctor._slots(Settings(home=tmp_path, slots="gpu"))
    assert not found.ok
    assert said in found.detail
