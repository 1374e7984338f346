"""What sampling leaves behind: rollouts, groups of them, and the lake that keeps every one."""
