import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from r1flow.components.data.curation.features import bands, token_vocabulary
from r1flow.components.data.curation.hashing import Texts, Vocabulary, hash_text
from r1flow.components.data.curation.settings import BAND_ROWS, BANDS

RUNS = st.lists(st.lists(st.integers(0, 5), max_size=8), min_size=1, max_size=6)


def texts(runs: list[list[int]]) -> Texts:
    hashes = np.array([value for run in runs for value in run], np.uint64)
    return Texts(hashes, np.cumsum([0, *map(len, runs)]).astype(np.int64))


@given(RUNS, st.integers(1, 4), st.booleans())
def test_runs_are_equal_exactly_where_their_tokens_are(runs: list[list[int]], width: int, short: bool) -> None:
    found = texts(runs).runs(width, short=short)
    expected = [
        [tuple(run[i : i + width]) for i in range(len(run) - width + 1)] or ([tuple(run)] if short and run else [])
        for run in runs
    ]
    assert [found.of(i).size for i in range(len(runs))] == [len(run) for run in expected]
    named: dict[int, set[tuple[int, ...]]] = {}
    for i, run in enumerate(expected):
        for value, tokens in zip(found.of(i).tolist(), run, strict=True):
            named.setdefault(value, set()).add(tokens)
    assert all(len({run for run in group if len(run) == width}) <= 1 for group in named.values())


@given(RUNS)
def test_sets_are_sorted_and_hold_each_hash_once(runs: list[list[int]]) -> None:
    found = texts(runs).sets()
    assert [found.of(i).tolist() for i in range(len(runs))] == [sorted(set(run)) for run in runs]


@given(RUNS)
def test_the_hash_of_a_sequence_knows_its_order(runs: list[list[int]]) -> None:
    found = texts(runs).in_order().tolist()
    for i, first in enumerate(runs):
        for j, second in enumerate(runs):
            assert (found[i] == found[j]) == (first == second)


def test_a_vocabulary_leaves_out_what_has_no_row() -> None:
    vocabulary = Vocabulary(lambda word: None if word == "x" else (hash_text(word),), 1)
    for _ in range(2):
        table, offsets = vocabulary.read([["a", "x", "b"], [], ["x", "a"]])
        assert table[:, 0].tolist() == [hash_text("a"), hash_text("b"), hash_text("a")]
        assert offsets.tolist() == [0, 2, 2, 3]


def test_hashes_are_the_same_on_every_machine() -> None:
    assert hash_text("problem") == 0x2B7CB1385FEA5FB9
    table, offsets = token_vocabulary().read([["what", "is", "17", "+", "25"]])
    sets = Texts(table[:, 0], offsets).runs(2, short=True).sets()
    assert bands(sets).shape == (BANDS, 1)
    assert bands(sets)[0, 0] == 0x5478E889C839BF1C


def test_equal_sets_share_every_band_and_unlike_sets_none() -> None:
    rng = np.random.default_rng(0)
    first, second = (rng.integers(0, 2**64, 100, np.uint64) for _ in range(2))
    keys = bands(Texts(np.concatenate([first, first, second]), np.array([0, 100, 200, 300])).sets())
    assert keys.shape == (BANDS, 3)
    assert BANDS * BAND_ROWS == 144
    assert (keys[:, 0] == keys[:, 1]).all()
    assert not (keys[:, 0] == keys[:, 2]).any()
