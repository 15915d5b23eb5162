"""A run as a folder of files that people and programs read without us."""
