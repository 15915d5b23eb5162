"""JSON text as parsing events with positions: no recursion, so that depth is the builder's to bound."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from pyscrai.formats.tree import Event, Mark, Unreadable

_SPACE = re.compile(r"[ \t\r\n]*")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?")
_WORD = re.compile(r"[A-Za-z_]+")
_WORDS = {"true": True, "false": False, "null": None}


class _Text:
    """A cursor over the text that knows the line and column of any offset ahead of the last one asked for."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self._line = 0
        self._start = 0
        self._seen = 0

    def mark(self) -> Mark:
        self._line += self.text.count("\n", self._seen, self.at)
        if self.at > self._seen:
            newline = self.text.rfind("\n", self._seen, self.at)
            self._start = newline + 1 if newline >= 0 else self._start
            self._seen = self.at
        return Mark(self._line, self.at - self._start)

    def peek(self) -> str:
        """The next character that is not white space; empty at the end."""
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return self.text[self.at : self.at + 1]

    def fail(self, message: str, hint: str | None = None) -> Unreadable:
        return Unreadable(self.mark(), message, hint)


def json_events(text: str) -> Iterator[Event]:
    """The events of one JSON document. Raises Unreadable at the first thing that is not JSON."""
    source = _Text(text)
    if not source.peek():
        return
    open_: list[str] = []
    while True:
        char = source.peek()
        if open_ and open_[-1] == "{" and char != "}":
            yield _key(source, char)
            char = source.peek()
        if char and char in "{[":
            yield Event("map" if char == "{" else "list", source.mark())
            open_.append(char)
            source.at += 1
            closer = source.peek()
            if closer != ("}" if char == "{" else "]"):
                continue
        else:
            yield _scalar(source, char)
        yield from _close(source, open_)
        if not open_:
            break
    if source.peek():
        raise source.fail("there is something after the end of the document", "a JSON file holds one value")


def _key(source: _Text, char: str) -> Event:
    if not char:
        raise source.fail("the file ends where a key is expected", "is a bracket left open?")
    if char != '"':
        raise source.fail("expected a key in double quotes", _key_hint(char))
    event = _scalar(source, char)
    if source.peek() != ":":
        raise source.fail(f'expected ":" after the key "{event.value}"')
    source.at += 1
    return event


def _key_hint(char: str) -> str | None:
    if char == "'":
        return "JSON wants double quotes"
    return "JSON has no comments" if char in ("/", "#") else None


def _close(source: _Text, open_: list[str]) -> Iterator[Event]:
    """What may follow a value: the ends of what is open, then a comma where something still is."""
    while open_:
        char = source.peek()
        if char == ("}" if open_[-1] == "{" else "]"):
            source.at += 1
            open_.pop()
            yield Event("end", source.mark())
            continue
        if char != ",":
            wanted = "}" if open_[-1] == "{" else "]"
            if not char:
                raise source.fail(f'the file ends where "," or "{wanted}" is expected', "is a bracket left open?")
            raise source.fail(f'expected "," or "{wanted}"', "is a comma missing on the line before?")
        comma = source.mark()
        source.at += 1
        if source.peek() in ("}", "]"):
            raise Unreadable(comma, "a comma before a closing bracket", "JSON allows no trailing comma: delete it")
        return


def _scalar(source: _Text, char: str) -> Event:
    mark = source.mark()
    if char == '"':
        found = _STRING.match(source.text, source.at)
        if not found:
            raise source.fail("a text that does not end, or has a line break or a wrong escape in it", 'write "\\n"')
        source.at = found.end()
        return Event("scalar", mark, json.loads(found.group()))
    number = _NUMBER.match(source.text, source.at)
    if number and number.end() > source.at:
        source.at = number.end()
        return Event("scalar", mark, _number(number, mark))
    word = _WORD.match(source.text, source.at)
    if word and word.group() in _WORDS:
        source.at = word.end()
        return Event("scalar", mark, _WORDS[word.group()])
    what = f'"{word.group()}"' if word else (f'"{char}"' if char else "the end of the file")
    raise source.fail(f"expected a value, found {what}", "texts need double quotes" if word else _key_hint(char))


def _number(found: re.Match[str], mark: Mark) -> int | float:
    whole = found.group(1) is None and found.group(2) is None
    try:
        return int(found.group()) if whole else float(found.group())
    except ValueError:
        raise Unreadable(mark, "a number with too many digits") from None
