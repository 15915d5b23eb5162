"""Alembic: `versions/NNNN_name.py`, one line of history; the file name carries the revision."""
