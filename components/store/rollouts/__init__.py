"""What sampling leaves behind: rollouts, groups of them, and the lake that keeps every one."""

TABLE = "completions.json"
"""The file in a program's work directory that is shown as a table of sampled completions."""
