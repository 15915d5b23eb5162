"""How queue and database are, for operators: facts, what they mean, and the report of both.

facts       what is read, and what the database does not show
judging     what a figure means, and what to do: pure
report      all of it, kept for a while
metrics     the same for Prometheus
"""
