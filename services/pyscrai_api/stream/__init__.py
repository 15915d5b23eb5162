"""Live logs: one reader per process, however many follow."""
