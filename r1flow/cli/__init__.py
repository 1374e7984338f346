"""What the commands of ``r1`` do, one file a theme."""
