"""Keys taken out of what is kept: of requests and answers, which become a story, and of errors.

Two rules: the keys that this process itself holds go wherever they stand, and so does what can only be a key. A story
is prose and must stay as it was told ("risk-averse", "the bearer of bad news"), so the patterns are strict; those for
messages of errors, in `pyscrai.engine.redaction`, are not.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

import re2

from pyscrai.llm.keys import HIDDEN, hide, keys_in_file

_NAMED = re.compile(r"_API_KEY$|_API_TOKEN$|^PYSCRAI_(ENGINE_)?TOKEN$")
_REAL = {
    # OpenAI, Anthropic, OpenRouter, DeepSeek …; a digit tells them from words with dashes
    "sk-": r"\bsk-(?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{20,}",
    "gsk_": r"\bgsk_[A-Za-z0-9]{20,}",
    "xai-": r"\bxai-[A-Za-z0-9]{20,}",
    "hf_": r"\bhf_[A-Za-z0-9]{30,}",
    "r8_": r"\br8_[A-Za-z0-9]{30,}",
    "AIza": r"\bAIza[A-Za-z0-9_-]{35}",
    "ya29.": r"\bya29\.[A-Za-z0-9_-]{20,}",
    "AKIA": r"\bAKIA[A-Z0-9]{16}\b",
    **{f"gh{kind}_": rf"\bgh{kind}_[A-Za-z0-9]{{36,}}" for kind in "pousr"},  # "gh" alone stands in every other line
    "github_pat_": r"\bgithub_pat_[A-Za-z0-9_]{30,}",
    "xox": r"\bxox[abprs]-[A-Za-z0-9-]{20,}",
    "eyJ": r"\beyJ[A-Za-z0-9_-]{15,}\.eyJ[A-Za-z0-9_-]{15,}\.[A-Za-z0-9_-]{15,}",  # a signed token
    "PRIVATE KEY": r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    "earer ": r"(?<=[Bb]earer )(?=[A-Za-z._~+/=-]*\d)[A-Za-z0-9._~+/=-]{20,}",
    "://": r"(?<=://)(?P<user>[^/\s:@\"']+:)[^/\s@\"']+(?=@[A-Za-z0-9\[])",
}
_PATTERNS = [(mark.encode(), re.compile(pattern)) for mark, pattern in _REAL.items()]
"""Only where its mark stands is a pattern looked for: prompts are long, and searching for all of them is slow."""
_ANY = re2.compile(b"|".join(re2.escape(mark) for mark, _ in _PATTERNS))
"""One pass for all marks; most prompts have none."""


def known_keys(*more: str, environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The keys that this process holds: of its environment, of the file of keys, and `more`; the longest first."""
    held = {value.strip() for name, value in environ.items() if _NAMED.search(name)}
    held |= {*keys_in_file(environ), *more}
    return tuple(sorted(held - {""}, key=lambda key: (-len(key), key)))


def redact(text: str, keys: Iterable[str] = ()) -> str:
    """The text without `keys`, and without what can only be a key or the password of an address."""
    for key in keys:
        text = hide(text, key)
    raw = text.encode("utf-8", "surrogatepass")  # bytes are searched ten times as fast as text beyond Latin-1
    if _ANY.search(raw) is None:
        return text
    for mark, pattern in _PATTERNS:
        if mark in raw:
            text = pattern.sub(lambda found: f"{found.groupdict().get('user') or ''}{HIDDEN}", text)
    return text
