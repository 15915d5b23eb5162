"""The worker processes: one module per system, each started with its options as JSON."""
