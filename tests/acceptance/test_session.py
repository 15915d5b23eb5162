"""The recorded session in the docs is what the command prints, and its story is the golden one."""

from __future__ import annotations

import html
import json
import re

from bench.record import PICTURE, ROOT, drawn, session, words


def text_of(picture: str) -> str:
    """The words of an SVG, in reading order."""
    parts = re.findall(r'<text class="session-[^"]*" x="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>', picture)
    placed = sorted((float(y), float(x), html.unescape(text)) for x, y, text in parts)
    return " ".join(" ".join(text for _, _, text in placed).replace("\xa0", " ").split())


def test_the_recorded_session_is_the_play(env: dict[str, str]) -> None:
    lines = session(env)
    again, kept = text_of(drawn(lines)), text_of(PICTURE.read_text("utf-8"))
    assert again == kept, "python -m bench.record records it anew"
    assert words(lines)[:40] in again


def test_the_recorded_session_shows_the_golden_story() -> None:
    golden = ROOT / "templates" / "scenarios" / "first-read" / "golden.jsonl"
    digest = json.loads(golden.read_text("utf-8").splitlines()[-1])["log_digest"]
    assert digest in text_of(PICTURE.read_text("utf-8"))
