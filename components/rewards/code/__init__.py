"""Programs as answers: taken from the text, run in a sandbox, judged by tests that the program never sees.

The judge holds what is expected; the program is given arguments or standard input and answers in plain data. See
``judge`` for the verdicts and ``r1flow.components.processes.sandbox`` for what keeps the programs away from the machine.
"""

from r1flow.components.rewards.code.extraction import extract_program
from r1flow.components.rewards.code.isolation import needs_one_process
from r1flow.components.rewards.code.verdict import judge, wall_seconds

__all__ = ["extract_program", "judge", "needs_one_process", "wall_seconds"]
