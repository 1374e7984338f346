"""What runs inside the sandboxes: standard library alone, Python 3.9 syntax, none of the project's own modules."""
