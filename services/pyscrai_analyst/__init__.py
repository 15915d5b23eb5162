"""The analyst engine: it checks what was narrated and measures it."""
