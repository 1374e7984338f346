"""What is compared of a row, as numbers: digests of its text, its answer and its figures, sets of shingles, LSH bands."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import rensa

from r1flow.components.data.curation.hashing import Hashes, Texts, Vocabulary, hash_text, mix
from r1flow.components.data.curation.settings import BAND_ROWS, BANDS
from r1flow.components.data.curation.text import NUMBER, is_number, is_operator, normalise, pieces, spelling

SEED = 1
_COMPLETION = np.uint64(0xA0761D6478BD642F)


@dataclass(frozen=True)
class Features:
    """Of the rows of one shard. The shingles of a prompt and of its completion are sets of their own."""

    text: npt.NDArray[np.bytes_]
    """Digest of the normalised prompt and completion."""
    answer: Hashes
    figures: Hashes
    """Of the multiset of figures in the prompt: the same in any order."""
    skeleton: Hashes
    """Of the prompt's tokens with every number masked."""
    bands: Hashes
    """[band, row]"""
    masked_bands: Hashes
    shingles: Texts
    """Two texts a row: prompt, completion."""
    masked: Texts
    """One text a row: the prompt."""


def token_row(piece: str) -> tuple[int, int, int, int] | None:
    """Hash, hash with numbers masked, is it a figure, is it a number."""
    token = spelling(piece)
    if token is None:
        return None
    number = is_number(token)
    plain = hash_text(token)
    return plain, hash_text(NUMBER) if number else plain, int(number or is_operator(token)), int(number)


def token_vocabulary() -> Vocabulary:
    return Vocabulary(token_row, 4)


def features(
    rows: Sequence[tuple[str, str | None, str]], vocabulary: Vocabulary, width: int, *, near: bool = True
) -> tuple[Features, list[str], npt.NDArray[np.uint64], Texts]:
    """Features of (prompt, completion, answer), and what they were made of: normalised texts, token rows, tokens.

    Texts alternate: prompt, completion, prompt, ...; a missing completion is an empty text.
    """
    plain = [normalise(text or "") for prompt, completion, _ in rows for text in (prompt, completion)]
    table, offsets = vocabulary.read([pieces(text) for text in plain])
    texts = Texts(table[:, 0], offsets)
    shingles = texts.runs(width, short=True).sets() if near else Texts(np.zeros(0, np.uint64), np.zeros_like(offsets))
    masked = _prompts(Texts(table[:, 1], offsets))
    skeletons = masked.runs(width, short=True).sets() if near else _prompts(shingles)
    salted = shingles.hashes ^ (_COMPLETION * (shingles.owners() % 2).astype(np.uint64))
    found = Features(
        text=np.array(
            [_digest(plain[i], None if rows[i // 2][1] is None else plain[i + 1]) for i in range(0, len(plain), 2)],
            "S16",
        ),
        answer=np.array([hash_text(normalise(answer)) for _, _, answer in rows], np.uint64),
        figures=mix(texts.sums(mix(table[:, 0]) * table[:, 2])[::2]),
        skeleton=masked.in_order(),
        bands=bands(Texts(salted, shingles.offsets[::2])) if near else _none(len(rows)),
        masked_bands=bands(skeletons) if near else _none(len(rows)),
        shingles=shingles,
        masked=skeletons,
    )
    return found, plain, table, texts


def bands(sets: Texts) -> Hashes:
    """[band, row]: rows whose signatures agree on all positions of a band have one key there."""
    if not len(sets.hashes):
        return np.zeros((BANDS, len(sets.lengths)), np.uint64)
    matrix = rensa.RMinHash.digest_matrix_from_flat_token_hashes(
        sets.hashes, sets.offsets.astype(np.uint64), BANDS * BAND_ROWS, SEED
    )
    signatures = np.array(matrix.to_rows(), np.uint64).reshape(-1, BANDS, BAND_ROWS)
    keys = np.zeros(signatures.shape[:2], np.uint64)
    for place in range(BAND_ROWS):
        keys = mix(keys + signatures[:, :, place] + np.uint64(place))
    return np.ascontiguousarray(keys.T)


def _prompts(texts: Texts) -> Texts:
    """Every second text."""
    keep = texts.owners() % 2 == 0
    return Texts(texts.hashes[keep], np.concatenate([np.zeros(1, np.int64), np.cumsum(texts.lengths[::2])]))


def _digest(prompt: str, completion: str | None) -> bytes:
    """16 bytes that cannot be made to meet. The completion counts: SFT data holds several chains for one prompt."""
    text = prompt if completion is None else f"{prompt}\0{completion}"
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _none(num: int) -> Hashes:
    return np.zeros((0, num), np.uint64)
