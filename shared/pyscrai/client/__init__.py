"""The HTTP client of the API: one connection pool, typed errors, the engine protocol."""
