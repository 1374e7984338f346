from r1flow.components.rewards.mathematics import quick
from r1flow.components.rewards.pool.worker import WARM_UP


def test_warming_up_takes_algebra() -> None:
    """Else a worker's first answer that does would pay for the import on its own clock."""
    assert [quick(gold, f"\\boxed{{{answer}}}") for gold, answer in WARM_UP] == [None] * len(WARM_UP)
