"""Who has the last word on a promotion: a person in Prefect, nobody, or the recipe."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from r1flow.components.store.objects import open_store
from r1flow.components.tracking.promotions import promotions
from tests.conftest import Ran
from tests.runs import ROOT, environment, stages

pytestmark = pytest.mark.long


def test_a_person_agrees_declines_or_says_nothing(smoke: Ran, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(smoke.home, home)
    model = stages(smoke.summary)["dev2"]["ref"]["fingerprint"]
    argv = [sys.executable, "-m", "tests.flows.gate_acts"]
    done = subprocess.run(argv, env=environment(home), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    assert {name: champion["promoted"] for name, champion in found.items()} == {
        "alone": False,
        "nobody": False,
        "declined": False,
        "off": False,
        "agreed": True,
    }
    by_hand = f"`r1 promote rl/{model[:8]}` promotes it"
    last = {name: champion["reasons"][-1] for name, champion in found.items()}
    assert last == {
        "alone": f"a person decides, and no Prefect server stands: {by_hand}",
        "nobody": f"nobody decided within 0.0005 hours: {by_hand}",
        "declined": "Ada declined: too short",
        "off": f"promote.r1-smoke.mode is off: {by_hand}",
        "agreed": "Ada agreed: it reads well",
    }
    log = promotions(open_store(str(home / "store")), "r1-smoke")
    assert [entry.ref.fingerprint for entry in log][1:] == [model]
    assert (log[-1].action, log[-1].by) == ("human", "Ada")
    assert log[-1].reason.endswith("Ada agreed: it reads well")
