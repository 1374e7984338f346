"""Several sets as one: whole in their order, or by rows and shares, always the same for a seed, never a row twice."""

from collections import Counter

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from r1flow.components.core.artifacts import Dataset
from r1flow.components.core.errors import DataError
from r1flow.components.core.schema import Row
from r1flow.components.data.blend import amounts, draw, sft_rows, shuffled
from r1flow.components.data.files import dump_rows
from r1flow.components.recipe.stages import Amount


def make(name, num):
    return [
        Row(id=f"{name}{i}", prompt="p", answer="", verifier="exact", source=name, completion="c") for i in range(num)
    ]


@pytest.fixture
def sets(tmp_path):
    """Three sets of 10, 6 and 4 rows, by role."""
    inputs = {}
    for role, num in (("data.0", 10), ("data.1", 6), ("data.2", 4)):
        (tmp_path / role).mkdir()
        dump_rows(make(role[-1], num), Dataset(tmp_path / role).sft)
        inputs[role] = tmp_path / role
    return inputs


def ids(rows):
    return [row.id for row in rows]


def test_one_set_is_as_it_is(sets):
    assert ids(sft_rows("data.1", sets, 0, "s")) == [f"1{i}" for i in range(6)]


def test_several_are_whole_and_in_their_order(sets):
    expected = [*(f"2{i}" for i in range(4)), *(f"0{i}" for i in range(10))]
    assert ids(sft_rows(("data.2", "data.0"), sets, 0, "s")) == expected
    assert ids(sft_rows(["data.2", "data.0"], sets, 9, "s")) == expected  # nothing is drawn


def test_amounts_are_drawn_and_shuffled_by_the_seed(sets):
    asked = {"data.0": Amount(rows=5), "data.1": Amount(rows=3)}
    rows = sft_rows(asked, sets, 1, "s")
    assert Counter(row.source for row in rows) == {"0": 5, "1": 3}
    assert len(set(ids(rows))) == 8
    assert ids(rows) == ids(sft_rows(asked, sets, 1, "s")) != ids(sft_rows(asked, sets, 2, "s"))
    assert ids(rows) != sorted(ids(rows))


def test_shares_beside_rows_are_of_the_whole(sets):
    asked = {"data.0": Amount(rows=6), "data.1": Amount(share=0.4)}
    assert Counter(row.source for row in sft_rows(asked, sets, 0, "s")) == {"0": 6, "1": 4}


def test_shares_alone_take_as_much_as_there_is(sets):
    asked = {"data.0": Amount(share=0.5), "data.1": Amount(share=0.25), "data.2": Amount(share=0.25)}
    assert Counter(row.source for row in sft_rows(asked, sets, 0, "s")) == {"0": 8, "1": 4, "2": 4}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"data.0": {"rows": 11}}, r"^s\.data\.0: 11 rows are asked for, and there are 10; ask for less"),
        ({"data.0": {"rows": 2}, "data.1": {"share": 0.8}}, r"^s\.data\.1: 8 rows are asked for, and there are 6"),
        ({"data.0": {"rows": 2}, "data.1": {"share": 0.6}, "data.2": {"share": 0.4}}, r"^s: the shares leave nothing"),
    ],
)
def test_more_than_there_is_names_the_set(sets, asked, message):
    with pytest.raises(DataError, match=message):
        sft_rows({role: Amount(**amount) for role, amount in asked.items()}, sets, 0, "s")


def test_an_amount_is_rows_or_a_share():
    with pytest.raises(ValueError, match="one of the two"):
        Amount()
    with pytest.raises(ValueError, match="one of the two"):
        Amount(rows=1, share=0.5)
    for share in (0, 1, -0.5, float("nan")):
        with pytest.raises(ValueError, match="share"):
            Amount(share=share)


AMOUNTS = st.lists(
    st.integers(1, 40).map(lambda n: Amount(rows=n)) | st.floats(0.01, 0.9).map(lambda s: Amount(share=s)),
    min_size=1,
    max_size=4,
)


@given(AMOUNTS, st.integers(0, 40))
def test_a_share_is_its_part_of_all_rows_together(given_amounts, beside):
    data = {f"data.{place}": amount for place, amount in enumerate(given_amounts)}
    shares = {role: amount.share for role, amount in data.items() if amount.share is not None}
    fixed = beside + sum(amount.rows or 0 for amount in data.values())
    assume(fixed and sum(shares.values()) < 0.99)
    plenty = dict.fromkeys(data, 10**9)
    found = amounts(data, plenty, "s", beside)
    whole = beside + sum(found.values())
    for role, amount in data.items():
        if amount.rows is not None:
            assert found[role] == amount.rows
        else:
            assert abs(found[role] - amount.share * whole) <= 1 + len(data)


@given(st.lists(st.tuples(st.floats(0.05, 1), st.integers(0, 200)), min_size=1, max_size=4))
def test_shares_alone_repeat_no_row_and_leave_one_set_empty_of_rest(pairs):
    total = sum(share for share, _ in pairs)
    data = {
        str(place): Amount.model_construct(rows=None, share=share / total) for place, (share, _) in enumerate(pairs)
    }
    available = {str(place): num for place, (_, num) in enumerate(pairs)}
    found = amounts(data, available, "s")
    assert all(0 <= found[role] <= available[role] for role in data)
    assert any(found[role] == available[role] for role in data)


@settings(max_examples=50)
@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 2**63 - 1), st.integers(0, 5))
def test_a_draw_is_a_part_without_repetition_and_the_same_for_a_seed(size, num, seed, place):
    assume(num <= size)
    rows = make("x", size)
    drawn = draw(rows, num, seed, place)
    assert len({row.id for row in drawn}) == len(drawn) == num
    assert drawn == draw(rows, num, seed, place)
    assert sorted(ids(shuffled(rows, seed))) == sorted(ids(rows))
    assert shuffled(rows, seed) == shuffled(rows, seed)


def test_the_first_set_of_a_mixture_is_drawn_as_general_data_always_was():
    """Random(derive_seed(seed, "general")), as before a mixture could have several: the tiny world stays as it was."""
    from random import Random

    from r1flow.components.core.seeds import derive_seed

    rows = make("x", 50)
    assert draw(rows, 7, 3, 0) == Random(derive_seed(3, "general")).sample(rows, 7)
    assert draw(rows, 7, 3, 1) == Random(derive_seed(3, "general", 1)).sample(rows, 7) != draw(rows, 7, 3, 0)
    mixed = list(rows)
    Random(derive_seed(3, "mix")).shuffle(mixed)
    assert shuffled(rows, 3) == mixed
