"""The command line: one module per noun. Services are started with `python -m`, never imported."""
