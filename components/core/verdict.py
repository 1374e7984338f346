"""What a verifier found about an answer. A string, so that JSON and Parquet hold the same word."""

from enum import StrEnum


class Verdict(StrEnum):
    """Only INFRA says nothing about the answer; the others all earn a number."""

    CORRECT = "CORRECT"
    WRONG = "WRONG"
    UNPARSEABLE = "UNPARSEABLE"
    TIMEOUT = "TIMEOUT"
    MEMORY = "MEMORY"
    INFRA = "INFRA"
