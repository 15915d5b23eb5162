"""Sweeps: many runs of one scenario, started one by one as there is room for them, and summed up."""
