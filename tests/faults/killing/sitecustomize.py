"""Python imports this at every start of a process that has this folder on its path: the runs of the kill matrix."""

from tests.faults.killer import arm

arm()
