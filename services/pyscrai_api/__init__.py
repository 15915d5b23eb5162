"""The API service: the only process that sees the database."""
