"""Programs that are right, nearly right, or made to deceive, with the tests that judge them."""
