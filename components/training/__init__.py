"""How weights change: reinforcement learning, supervised fine-tuning, the engines that step, and the checks that hold them."""
