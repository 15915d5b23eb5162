"""What crosses HTTP: requests, answers, log entries, error codes. Unknown fields are ignored by both sides."""

PROTOCOL = 1
MIN_PROTOCOL = 1
