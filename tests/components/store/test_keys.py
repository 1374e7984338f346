"""Names of objects: nothing leaves the store's root."""

import os
from pathlib import PurePosixPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from r1flow.components.core.errors import StoreError
from r1flow.components.store.keys import safe_key
from r1flow.components.store.objects import open_store


@pytest.mark.parametrize(
    "key",
    ["", "/etc/passwd", "..", "a/../b", "a/..", "./a", "a//b", "a/", "a\\b", "a\nb", "a\0b", "a\u202eb", "\ud800"],
)
def test_keys_that_leave_the_root_or_hide_something_are_refused(key):
    with pytest.raises(StoreError, match="is refused: "):
        safe_key(key)


@pytest.mark.parametrize("key", ["x" * 256, "/".join(["x" * 200] * 5), ".r1-lock", "a/.r1-tmp-x", "a\u2028"])
def test_keys_too_long_or_reserved_are_refused(key):
    with pytest.raises(StoreError, match="is refused: "):
        safe_key(key)


@pytest.mark.parametrize(
    "key", ["a", "a/b.json", "leases/grpo 1.json", "daten/ä/模型.safetensors", "...", "a..b", ".x"]
)
def test_ordinary_keys_pass_unchanged(key):
    assert safe_key(key) == key


@given(st.text(alphabet=st.one_of(st.sampled_from("/.\\ab"), st.characters()), max_size=30))
@example("a/./../..")
def test_what_passes_stays_below_the_root_in_every_reading(key):
    try:
        safe_key(key)
    except StoreError:
        return
    assert os.path.normpath(f"/store/{key}") == f"/store/{key}"
    assert PurePosixPath(key).as_posix() == key
    assert ".." not in key.split("/")


@given(st.text(max_size=20))
def test_every_method_of_a_local_store_refuses_unsafe_keys(key):
    try:
        safe_key(key)
    except StoreError:
        store = open_store("/nonexistent/store")
        for method in (store.read_bytes, store.exists, store.size, store.sha256, store.delete, store.local_path):
            with pytest.raises(StoreError, match="is refused"):
                method(key)
