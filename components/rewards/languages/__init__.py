"""Which language each word of a text is in: words by script, clauses by detector, and the two joined."""
