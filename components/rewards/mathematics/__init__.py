"""Answers in mathematics and to multiple-choice questions: find them, compare them with the gold answer."""

from components.rewards.mathematics.choice import judge_choice
from components.rewards.mathematics.verdict import judge, quick, usable

__all__ = ["judge", "judge_choice", "quick", "usable"]
