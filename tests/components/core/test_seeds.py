"""Random numbers depend on names and on nothing else."""

import hashlib

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from r1flow.components.core.seeds import derive_seed, python_rng, uniforms

NAMES = st.lists(st.one_of(st.text(max_size=8), st.integers(-5, 5)), max_size=3)


def test_a_seed_is_the_first_eight_bytes_of_the_names_digest():
    expected = int.from_bytes(hashlib.sha256(b'[7,"step",3]').digest()[:8], "big")
    assert derive_seed(7, "step", 3) == expected


@settings(deadline=None, max_examples=50)
@given(NAMES, NAMES)
def test_two_purposes_share_a_seed_only_if_they_are_the_same(one, other):
    assert (derive_seed(0, *one) == derive_seed(0, *other)) == (one == other)


def test_a_number_and_its_text_are_different_names():
    assert derive_seed(0, 1) != derive_seed(0, "1")
    assert derive_seed(0, "a", "b") != derive_seed(0, "ab") != derive_seed(1, "ab")


def test_generators_of_one_purpose_do_not_disturb_another():
    alone = python_rng(3, "a").random()
    python_rng(3, "b").random()
    assert python_rng(3, "a").random() == alone
    assert python_rng(3, "b").random() != alone


def test_uniforms_are_a_prefix_of_longer_draws_and_lie_in_the_unit_interval():
    long = uniforms(0, "x", num=10_000)
    assert long.dtype == np.float64
    assert ((long >= 0) & (long < 1)).all()
    assert abs(long.mean() - 0.5) < 0.02
    assert (uniforms(0, "x", num=10) == long[:10]).all()
