"""Answers in mathematics and to multiple-choice questions: find them, compare them with the gold answer."""

from r1flow.components.rewards.mathematics.choice import judge_choice
from r1flow.components.rewards.mathematics.verdict import judge, quick, usable

__all__ = ["judge", "judge_choice", "quick", "usable"]
