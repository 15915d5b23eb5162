"""The actor engine: it speaks and decides for one seat at a time, knowing only what that seat knows."""
