"""Keys and tokens taken out of what is written down: providers repeat them in their error messages."""

from __future__ import annotations

import re
from functools import lru_cache

_SECRET = re.compile(
    r"(?P<name>\b(?:api[-_]?key|access[-_]?token|authorization)[\"']?\s*[:=]\s*[\"']?(?:(?:Bearer|Basic)\s+)?)[^\s\"',}]+"
    r"|(?P<scheme>\b(?:Bearer|Basic)\s+)[A-Za-z0-9._~+/=-]{8,}"
    r"|(?P<user>://[^/\s:@]+:)[^/\s@]+(?=@)"
    r"|\b(?:sk|pk|rk|or|gsk|xai)-[A-Za-z0-9_*-]{6,}"
    r"|\bgsk_[A-Za-z0-9]{6,}|\bAIza[A-Za-z0-9_-]{20,}",
    re.IGNORECASE,
)

_SHORTEST = 7
"""Nothing shorter can look like a key: `://a:b@`."""
_OFTEN_THE_SAME = 64


def redact(text: str) -> str:
    """The text with everything that looks like a key, a bearer token or a password in a URL as `***`."""
    if len(text) < _SHORTEST:
        return text
    return _again(text) if len(text) <= _OFTEN_THE_SAME else _redacted(text)


def _redacted(text: str) -> str:
    return _SECRET.sub(lambda m: f"{m['name'] or m['scheme'] or m['user'] or ''}***", text)


_again = lru_cache(maxsize=512)(_redacted)
"""Names of lanes, types, engines and the like are in every line."""
