"""A module that takes forever to import; it leaves a mark where the environment asks for one."""

import os
import time
from pathlib import Path

if mark := os.environ.get("R1_PROBE_MARK"):
    Path(mark).touch()
time.sleep(600)
