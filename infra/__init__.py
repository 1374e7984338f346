"""How environments are made: the services of the stack, here or in containers, and the jobs of a cluster. Never packaged."""
