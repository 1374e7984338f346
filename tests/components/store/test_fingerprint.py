"""Fingerprints depend on everything that matters and on nothing else."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from r1flow.components.core.errors import ConfigError
from r1flow.components.store.fingerprint import canonical_json, fingerprint

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12)
DIGEST = "0" * 64


def _shuffled(value):
    if isinstance(value, dict):
        return {key: _shuffled(item) for key, item in reversed(value.items())}
    return tuple(_shuffled(item) for item in value) if isinstance(value, list) else value


@given(VALUES)
def test_canonical_json_is_json_of_the_same_value_and_its_own_fixed_point(value):
    text = canonical_json(value)
    assert text.isascii()
    assert canonical_json(json.loads(text)) == text


@given(VALUES)
def test_key_order_and_tuples_do_not_count(value):
    assert canonical_json(_shuffled(value)) == canonical_json(value)


@given(VALUES, VALUES)
def test_different_values_have_different_texts(left, right):
    if canonical_json(left) == canonical_json(right):
        assert json.loads(json.dumps(left)) == json.loads(json.dumps(right))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_keep_every_bit(number):
    assert math.copysign(1, json.loads(canonical_json(number))) == math.copysign(1, number)
    assert json.loads(canonical_json(number)) == number


def test_one_and_one_point_zero_and_true_differ():
    assert len({canonical_json(value) for value in (1, 1.0, True, "1")}) == 4


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"lr": math.nan}, r"value\.lr is nan"),
        ({"a": [1, math.inf]}, r"value\.a\[1\] is inf"),
        ({"a": {"b": {1, 2}}}, r"value\.a\.b is a set"),
        ([b"x"], r"value\[0\] is a bytes"),
        ({"f": print}, r"value\.f is a builtin_function"),
        ({"o": object()}, r"value\.o is a object"),
        ({"a": {1: 2}}, r"value\.a has the key 1"),
        ({"n": 1 << 2000}, r"value\.n is an integer of 2001 bits"),
    ],
)
def test_values_without_identity_are_refused_by_their_path(value, path):
    with pytest.raises(ConfigError, match=path):
        canonical_json(value)


def test_a_value_that_contains_itself_is_refused():
    loop = []
    loop.append(loop)
    with pytest.raises(ConfigError, match="levels deep"):
        canonical_json(loop)


def test_every_part_of_the_tuple_changes_the_fingerprint():
    base = {"kind": "model", "version": "1", "config": {"lr": 0.1}, "inputs": {"data": DIGEST}, "seed": 0}
    changes = [
        {},
        {"kind": "data"},
        {"version": "2"},
        {"config": {"lr": 0.2}},
        {"inputs": {"data": "1" * 64}},
        {"inputs": {"base": DIGEST}},
        {"inputs": {}},
        {"seed": 1},
    ]
    digests = {fingerprint(**{**base, **change}) for change in changes}
    assert len(digests) == len(changes)
    assert all(len(digest) == 64 and int(digest, 16) >= 0 for digest in digests)


def test_the_fingerprint_is_the_same_in_every_release():
    digest = fingerprint(
        kind="model", version="1", config={"b": [1, 2.5, None], "a": "ä"}, inputs={"d": DIGEST}, seed=7
    )
    assert digest == "d42c3a0cf60bbe7bb1df7f2556c954cbd5427145cc24a2d7aad7659ca075975f"


def test_an_input_that_is_no_fingerprint_is_refused_by_name():
    with pytest.raises(ConfigError, match=r"inputs\.data is 'abc'"):
        fingerprint(kind="model", version="1", config={}, inputs={"data": "abc"}, seed=0)
