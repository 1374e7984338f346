"""A model as ``r1 doctor --model`` looks at it: in a supervised child, whose findings outlive it."""

import tempfile
from pathlib import Path

from r1flow.components.core.errors import ModelError
from r1flow.components.processes.preload import ForkServer
from r1flow.components.programs.finding import SETTING, Finding, found_in
from r1flow.components.programs.inspect_model import Limits
from r1flow.tasks.inspection import HOURS, LIMITS
from r1flow.tasks.looking import look

PROGRAM = "r1flow.components.programs.examine_model"


def examine_model(
    source: str, revision: str | None = None, *, server: ForkServer | None = None, limits: Limits = LIMITS
) -> list[Finding]:
    """What there is to say of a model: a directory, a hub id, a ``.gguf`` file or an ``s3://`` directory.

    A part that goes past the ``limits`` ends the look, as a finding that failed. Raises :class:`ModelError` for a source that
    names no model or cannot be fetched, and :class:`StageFailed` where nothing could be started.
    """
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory) / "doctor"
        spec = {"source": source, "revision": revision}
        try:
            told = look(PROGRAM, spec, work=work, server=server, limits=limits, timeout_s=HOURS * 3600)
            return [Finding(**each) for each in told["findings"]]
        except ModelError as error:
            what, _, detail = str(error).partition(": ")
            if what == SETTING:
                raise
            return [*found_in(work), Finding(what, False, detail)]
