"""Group-relative policy optimisation: the mathematics (pure) and the trainer that uses it."""
