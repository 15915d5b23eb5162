"""What crosses HTTP: requests, answers, log entries, error codes. Unknown fields are ignored by both sides."""

PROTOCOL = 2
"""2: a grant may bring the answer of a recording or of the cache, to be taken in place of a call."""
MIN_PROTOCOL = 1
TAKES_ANSWERS = 2
"""The protocol from which an engine takes an answer that comes with a grant; an older one would make the call."""
