"""Keys taken out of what is kept: of requests and answers, which become a story, and of errors.

Two rules: the keys that this process itself holds go wherever they stand, and so does what can only be a key. A story
is prose and must stay as it was told ("risk-averse", "the bearer of bad news"), so the patterns are strict; those for
messages of errors, in `pyscrai.engine.redaction`, are not.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

from pyscrai.llm.keys import HIDDEN, hide, keys_in_file

_NAMED = re.compile(r"_API_KEY$|_API_TOKEN$")
_KEY = re.compile(
    r"\b(?:sk|pk|rk)-(?=[A-Za-z0-9_-]*\d)[A-Za-z0-9_-]{20,}"  # OpenAI, Anthropic, OpenRouter, DeepSeek …
    r"|\bgsk_[A-Za-z0-9]{20,}|\bxai-[A-Za-z0-9]{20,}|\bhf_[A-Za-z0-9]{30,}|\br8_[A-Za-z0-9]{30,}"
    r"|\bAIza[A-Za-z0-9_-]{35}|\bya29\.[A-Za-z0-9_-]{20,}|\bAKIA[A-Z0-9]{16}\b"
    r"|\bgh[pousr]_[A-Za-z0-9]{36,}|\bgithub_pat_[A-Za-z0-9_]{30,}|\bxox[abprs]-[A-Za-z0-9-]{20,}"
    r"|\beyJ[A-Za-z0-9_-]{15,}\.eyJ[A-Za-z0-9_-]{15,}\.[A-Za-z0-9_-]{15,}"  # a signed token
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
)
_BEARER = re.compile(r"(\b[Bb]earer\s+)(?=[A-Za-z._~+/=-]*\d)[A-Za-z0-9._~+/=-]{20,}")
_PASSWORD = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^/\s:@\"']+:)[^/\s@\"']+(?=@[A-Za-z0-9\[])")


def known_keys(*more: str, environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The keys that this process holds: of its environment, of the file of keys, and `more`; the longest first."""
    held = {value.strip() for name, value in environ.items() if _NAMED.search(name)}
    held |= {*keys_in_file(environ), *more}
    return tuple(sorted(held - {""}, key=lambda key: (-len(key), key)))


def redact(text: str, keys: Iterable[str] = ()) -> str:
    """The text without `keys`, and without what can only be a key or the password of an address."""
    for key in keys:
        text = hide(text, key)
    text = _KEY.sub(HIDDEN, text)
    text = _BEARER.sub(rf"\1{HIDDEN}", text)
    return _PASSWORD.sub(rf"\1{HIDDEN}", text)
