"""A form asked field by field: from a JSON Schema to an answer. What was answered before is offered again."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from pyscrai.cli.prose import one_line

Schema = Mapping[str, Any]
YES, NO = ("y", "yes", "j", "ja"), ("n", "no", "nein")


class Asks(Protocol):
    """Where questions are put and answered."""

    def tell(self, text: str = "", style: str = "") -> None:
        """A line for the person."""
        ...

    async def line(self, prompt: str) -> str:
        """What the person answers, on one line. Raises Leave, Withdrawn."""
        ...


class Form:
    """Asks for one object. `kept` is called with what there is after each field, so that nothing typed is lost."""

    def __init__(self, ui: Asks, kept: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        self._ui = ui
        self._kept = kept

    async def ask(
        self, schema: Schema, before: Mapping[str, Any], only: frozenset[str] = frozenset()
    ) -> dict[str, Any]:
        """An answer to every field (of `only` these, where any are named); `before`: what was answered already."""
        value = dict(before)
        required = schema.get("required") or []
        for name, one in (schema.get("properties") or {}).items():
            if only and name not in only:
                continue
            found = await self._value(one, title=_title(name, one), before=before.get(name), needed=name in required)
            if found is None and name not in required and not _takes_null(one):
                value.pop(name, None)
            else:
                value[name] = found
            await self._kept(value)
        return value

    async def _value(self, schema: Schema, *, title: str, before: Any, needed: bool) -> Any:
        if about := schema.get("description"):
            self._ui.tell(f"  {one_line(str(about))}", "dim")
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return await self._choice(schema, title, before, needed)
        if "anyOf" in schema:
            return await self._any_of(schema["anyOf"], title, before)
        kind = _kind(schema)
        if kind == "array":
            return await self._list(schema, title, before)
        if kind == "object":
            return await self._object(schema, title, before)
        if kind == "boolean":
            return await self._yes(title, bool(before))
        return await self._text(schema, kind, title, before, needed)

    async def _text(self, schema: Schema, kind: str, title: str, before: Any, needed: bool) -> Any:
        """A text (a line that ends in \\ goes on on the next), a number, or anything else as JSON."""
        least = int(schema.get("minLength") or 0)
        while True:
            typed = await self._lines(f"{title}{_offer(before)}")
            if not typed and before is not None:
                return before
            if not typed:
                if _takes_null(schema) or not needed:
                    return None
                if kind == "string" and not least:
                    return ""
                self._ui.tell("  This one is needed.", "yellow")
                continue
            found, problem = _read(typed, kind)
            most = schema.get("maxLength")
            if problem is None and isinstance(found, str) and most is not None and len(found) > int(most):
                problem = f"at most {most} characters, these are {len(found)}"
            if problem is None:
                return found
            self._ui.tell(f"  {problem}", "yellow")

    async def _lines(self, prompt: str) -> str:
        typed: list[str] = []
        while True:
            line = await self._ui.line(f"{prompt}: " if not typed else "… ")
            typed.append(line.removesuffix("\\"))
            if not line.endswith("\\"):
                return "\n".join(typed).strip()

    async def _choice(self, schema: Schema, title: str, before: Any, needed: bool) -> Any:
        options, names = list(schema["enum"]), list(schema.get("x-titles") or schema["enum"])
        for number, (option, name) in enumerate(zip(options, names, strict=False), start=1):
            same = str(option) == str(name)
            self._ui.tell(f"  {number}  {one_line(str(name))}{'' if same else f' ({option})'}")
        while True:
            typed = (await self._ui.line(f"{title}{_offer(before)}: ")).strip()
            if not typed and (before is not None or not needed):
                return before
            found = [
                o
                for o, n in zip(options, names, strict=False)
                if typed.casefold() in (str(o).casefold(), str(n).casefold())
            ]
            if typed.isdecimal() and 1 <= int(typed) <= len(options):
                return options[int(typed) - 1]
            if found:
                return found[0]
            self._ui.tell(f"  One of 1 to {len(options)}, or its name.", "yellow")

    async def _yes(self, question: str, before: bool) -> bool:
        while True:
            typed = (await self._ui.line(f"{question}? [{'Y/n' if before else 'y/N'}] ")).strip().casefold()
            if not typed:
                return before
            if typed in YES or typed in NO:
                return typed in YES
            self._ui.tell("  y or n.", "yellow")

    async def _any_of(self, options: list[Schema], title: str, before: Any) -> Any:
        others = [one for one in options if one.get("type") != "null" and one.get("const", 0) is not None]
        if len(others) < len(options) and not await self._yes(title, before is not None):
            return None
        if not others:
            return None
        chosen = others[0]
        if len(others) > 1:
            names = [
                str((one.get("properties") or {}).get("name", {}).get("const", place))
                for place, one in enumerate(others)
            ]
            name = await self._choice({"enum": names}, title, None, True)
            chosen = others[names.index(name)]
        return await self._value(chosen, title=title, before=before, needed=True)

    async def _object(self, schema: Schema, title: str, before: Any) -> Any:
        if not schema.get("properties"):
            return await self._text(schema, "json", f"{title} (as JSON)", before, True)
        found: dict[str, Any] = {}
        known = before if isinstance(before, Mapping) else {}
        for name, one in schema["properties"].items():
            needed = name in (schema.get("required") or [])
            value = await self._value(one, title=f"  {_title(name, one)}", before=known.get(name), needed=needed)
            if value is not None or needed:
                found[name] = value
        return found

    async def _list(self, schema: Schema, title: str, before: Any) -> list[Any]:
        items = schema.get("items") or {}
        least, most = int(schema.get("minItems") or 0), int(schema.get("maxItems") or 1000)
        known = list(before) if isinstance(before, list) else []
        found: list[Any] = []
        simple = _kind(items) in ("string", "number", "integer") and "enum" not in items
        if simple:
            self._ui.tell(f"  {title}: one on each line, an empty line ends.{_offer(known or None)}")
            while len(found) < most:
                typed = (await self._ui.line(f"  {len(found) + 1}. ")).strip()
                if not typed:
                    return found or known
                value, problem = _read(typed, _kind(items))
                found += [value] if problem is None else []
                if problem is not None:
                    self._ui.tell(f"  {problem}", "yellow")
            return found
        while len(found) < most:
            place = len(found)
            offered = known[place] if place < len(known) else None
            if place >= least and not await self._yes(f"{title}: {'another' if place else 'one'}", offered is not None):
                return found
            found.append(await self._value(items, title=f"{title} {place + 1}", before=offered, needed=True))
        return found


def _title(name: str, schema: Schema) -> str:
    return one_line(str(schema.get("title") or name))


def _kind(schema: Schema) -> str:
    """The one type that is asked for; `json` where it cannot be told."""
    kinds = schema.get("type")
    named = [kinds] if isinstance(kinds, str) else [kind for kind in kinds or [] if kind != "null"]
    return str(named[0]) if len(named) == 1 else "json"


def _takes_null(schema: Schema) -> bool:
    kinds = schema.get("type")
    return (
        kinds == "null" or (isinstance(kinds, list) and "null" in kinds) or {"type": "null"} in schema.get("anyOf", ())
    )


def _offer(before: Any) -> str:
    """What Enter takes."""
    if before is None or before == "" or before == []:
        return ""
    text = before if isinstance(before, str) else json.dumps(before, ensure_ascii=False)
    text = one_line(text)
    return f" [{text if len(text) <= 60 else text[:59] + '…'}]"


def _read(typed: str, kind: str) -> tuple[Any, str | None]:
    try:
        if kind == "integer":
            return int(typed), None
        if kind == "number":
            return float(typed), None
        if kind == "json":
            return json.loads(typed), None
    except ValueError:
        return None, f"this is not {'JSON' if kind == 'json' else 'a number'}"
    return typed, None
