"""Score thousands of answers at once in processes that can be killed, so that no answer can stop or mislead a run."""
