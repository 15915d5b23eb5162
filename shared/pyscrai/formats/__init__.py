"""Readers of scenario documents, ours and foreign ones, and the writer of ours. See `load.load` and `load.dump`."""
