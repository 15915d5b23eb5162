"""Benchmarks: medians and ratios against the limit, measured in the same run. Nothing is asserted here."""
