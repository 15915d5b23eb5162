"""The narrator engine: it writes the world: what follows from the moves, and the facts beside the prose."""
