"""People with tokens of their own, what is theirs alone, and their keys of model providers."""
