"""Rule-based rewards: accuracy, format, language consistency; what they have in common and how they add up."""
