"""Adversarial tests of verifiers: does one hold against answers made to deceive it?"""
