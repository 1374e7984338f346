"""The reward firewall: does a verifier hold against answers made to deceive it?"""
