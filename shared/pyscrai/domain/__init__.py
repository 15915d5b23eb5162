"""The pure heart: scenarios, policies, fold, digest, money arithmetic.

No clock, randomness, environment or I/O in here; they are passed in.
"""
