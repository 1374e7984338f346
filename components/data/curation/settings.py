"""What curation can be told. Where a default is a measurement, ARCHITECTURE has the figures."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Curation:
    """Thresholds of the rules; every one of them changes which rows are kept."""

    shingle: int = 2
    """Tokens per shingle."""
    similar: float = 0.8
    """Jaccard from which two rows are near-duplicates, and two masked ones variants."""
    ngram: int = 10
    """Words in a row that count as overlap with an evaluation problem; shorter problems are matched whole."""
    ngram_share: float = 0.65
    """Least share of an evaluation problem's words that such runs must cover; 0 is the paper's plain rule."""
    reworded: float = 0.6
    """Least share of an evaluation problem's masked shingles in a row that states the same numbers."""
    drop_variants: bool = True
    """Drop numeric variants of evaluation problems too; they are listed in either case."""
    near: bool = True
    """False: rows are compared by their text as it stands and by key alone."""


BANDS, BAND_ROWS = 24, 6
"""LSH: a pair of Jaccard s becomes a candidate with probability 1 - (1 - s^6)^24: 0.9993 at 0.8, 0.09 at 0.4."""
