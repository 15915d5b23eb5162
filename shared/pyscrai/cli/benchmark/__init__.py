"""`pyscrai benchmark`: how long a turn takes here, and what it needs."""
