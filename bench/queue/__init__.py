"""The queue against its peers: throughput, cost, latency and what history does to them, on one PostgreSQL.

`python -m bench queue` measures in alternating rounds and writes `docs/benchmarks.md`; nothing is asserted.
"""
