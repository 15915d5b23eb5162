"""A person at a seat in a terminal: what the seat knows, questions field by field, what happens after."""
