import collections
import datetime
import decimal
import enum
import fractions
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from r1flow.components.rewards.code.programs.plain_data import MAX_DRAINED, TAG, NotPlain, decode, dumps, encode

HASHABLE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters()) | st.binary(),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=5,
)
PLAIN = st.recursive(
    HASHABLE | st.complex_numbers(allow_nan=False) | st.decimals(allow_nan=False) | st.fractions() | st.datetimes(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(HASHABLE, inner, max_size=4)
        | st.sets(HASHABLE, max_size=4)
        | st.tuples(inner)
        | st.builds(collections.deque, st.lists(inner, max_size=3))
    ),
    max_leaves=20,
)


def crossed(value):
    return decode(json.loads(dumps(encode(value))))


@given(PLAIN)
def test_plain_values_cross_unchanged(value):
    arrived = crossed(value)
    assert type(arrived) is type(value)
    assert arrived == value


@pytest.mark.parametrize(
    "value",
    [
        10**4000,
        -(2**64),
        float("inf"),
        True,
        -0.0,
        "\ud800",
        {TAG: "int", "v": "7"},
        {1: "a", "1": "b"},
        {True: (1, [2, {3}])},
        range(3, 9, 2),
        bytearray(b"\0\xff"),
        collections.Counter("aab"),
        collections.OrderedDict([("b", 1), ("a", 2)]),
        fractions.Fraction(1, 3),
        decimal.Decimal("1.50"),
        datetime.date(2026, 1, 2),
        datetime.timedelta(days=-1, seconds=5),
        int,
        [[]],
    ],
)
def test_special_values_cross_as_what_they_are(value):
    arrived = crossed(value)
    assert type(arrived) is type(value)
    assert arrived == value
    assert repr(arrived) == repr(value)


def test_subclasses_arrive_as_the_plain_type_so_that_no_patched_method_does():
    class Liar(int):
        def __eq__(self, other):
            return True

        __hash__ = int.__hash__

    class Text(str):
        def __eq__(self, other):
            return True

        __hash__ = str.__hash__

    Point = collections.namedtuple("Point", "x y")
    arrived = crossed(
        [Liar(5), Text("a"), Point(1, 2), collections.defaultdict(list, a=[1]), enum.IntEnum("E", "A B").B]
    )
    assert arrived == [5, "a", (1, 2), {"a": [1]}, 2]
    assert [type(item) for item in arrived] == [int, str, tuple, dict, int]
    assert arrived[0] != 6


def test_iterators_and_views_stay_iterators_and_views():
    assert list(crossed(n * n for n in range(4))) == [0, 1, 4, 9]
    assert crossed(iter([1])) != [1]
    assert crossed({1: 2}.keys()) == {1}
    assert list(crossed({1: 2}.values())) == [2]
    assert list(crossed({1: 2}.items())) == [(1, 2)]


def test_endless_iterators_are_cut_and_say_so_when_one_goes_further():
    def naturals():
        n = 0
        while True:
            yield n
            n += 1

    arrived = crossed(naturals())
    assert [next(arrived) for _ in range(MAX_DRAINED)] == list(range(MAX_DRAINED))
    with pytest.raises(ValueError, match="more than"):
        next(arrived)


def test_matches_of_regular_expressions_keep_groups_and_spans():
    match = crossed(re.search(r"(?P<a>b+)(c)?", "xbby"))
    assert match
    assert (match.group(), match["a"], match.groups(), match.span(), match.start(1)) == (
        "bb",
        "bb",
        ("bb", None),
        (1, 3),
        1,
    )


def test_objects_do_not_cross():
    nested: list[object] = []
    nested.append(nested)
    for value in (object(), pytest, nested, len, open, Exception("x"), type("C", (), {})):
        with pytest.raises(NotPlain):
            encode(value)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda i: st.lists(i) | st.dictionaries(st.just(TAG) | st.just("v") | st.text(), i),
    )
)
def test_what_nobody_encoded_is_refused_or_read_as_plain_data(value):
    try:
        arrived = decode(value)
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError):
        return
    assert not callable(arrived) or isinstance(arrived, type)
