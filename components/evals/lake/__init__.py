"""Questions to everything that was ever sampled: tables over the store, SQL on them, verdicts taken anew."""
