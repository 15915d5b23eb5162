"""Keys and tokens taken out of what is written down: providers repeat them in their error messages."""

from __future__ import annotations

import re

_SECRET = re.compile(
    r"(?P<lead>\b(?:Bearer|Basic)\s+|\b(?:api[-_]?key|access[-_]?token|authorization)[\"']?\s*[:=]\s*[\"']?)"
    r"(?!\*\*\*)[^\s\"',}]+"
    r"|\b(?:sk|pk|rk|or|gsk|xai)-[A-Za-z0-9_*-]{6,}"
    r"|(?P<user>://[^/\s:@]+:)[^/\s@]+(?=@)",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """The text with everything that looks like a key, a bearer token or a password in a URL as `***`."""
    return _SECRET.sub(lambda m: f"{m['lead'] or m['user'] or ''}***", text)
