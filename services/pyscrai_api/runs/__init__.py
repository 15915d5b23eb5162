"""Runs: how they start, how a step is committed, what an event's claim shows, how people control them."""
