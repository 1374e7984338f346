"""A progress bar moves with the steps, not with every look at them."""

from uuid import uuid4

from r1flow.components.core.spool import SpoolRow
from r1flow.tasks import progress
from r1flow.tasks.progress import ProgressBar


def test_it_moves_every_five_seconds_and_at_the_end(monkeypatch):
    now, shown, known = [0.0], [], uuid4()
    monkeypatch.setattr(progress, "create_progress_artifact", lambda done, **_: shown.append(done) or known)
    monkeypatch.setattr(progress, "update_progress_artifact", lambda which, done: shown.append((which == known, done)))
    bar = ProgressBar("grpo-progress", 200, clock=lambda: now[0])
    for at, step in ((0.0, 2), (1.0, 4), (5.0, 20), (6.0, 30), (7.0, 200)):
        now[0] = at
        bar.move([SpoolRow(step - 1, 0, {}), SpoolRow(step, 0, {})])
    assert shown == [1.0, (True, 10.0), (True, 100.0)]
