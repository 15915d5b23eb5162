"""What can be wrong with secrets and keys."""

from __future__ import annotations


class BadSecret(ValueError):
    """A secret that is too weak to be one. The message does not repeat it."""


class CannotOpen(Exception):
    """None of the secrets opens it: it was sealed with another one, or for somebody else."""


class KeyTrouble(Exception):
    """A key that is kept here and cannot be used; the message says what to do."""
