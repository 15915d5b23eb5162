"""Tools in a rehearsal: when a seat asks one, with what input, and what the system prints."""

from __future__ import annotations

import json
import re
from typing import Any

from pyscrai.domain.chance import chance
from pyscrai.llm.rehearsal.reading import RESULTS, Sheet
from pyscrai.llm.rehearsal.schema import Filler
from pyscrai.llm.rehearsal.words import bare, content_words, cut, sentence, upper_first

DECIDE_AFTER = 0.6
"""Share of the messages after which somebody who can end the conversation does."""
LINES = 6
_TOOL = re.compile(r"^(?P<name>[\w.-]+)(?: \(ends the conversation: (?P<ends>\w+)\))?: ")
_ATTACHED = re.compile(r"\b(?:the|an?)\s+([a-z][^.,;]{3,70}?)(?:,)?\s+as\s+(?:a|an)\s+(?:document|attachment)", re.I)


def tool_call(sheet: Sheet, seed: int, schema: dict[str, Any]) -> dict[str, Any] | None:
    """A call of one of the tools that the schema offers, or None to speak.

    Something is looked up before the first own word and after that now and then; a tool that ends the conversation is
    used late, and only by somebody who has spoken before.
    """
    offered = {
        option["properties"]["name"]["const"]: option
        for option in schema["properties"]["tool_call"].get("anyOf", [])
        if "properties" in option
    }
    ends = {found["name"]: found["ends"] for line in sheet.items("your tools") if (found := _TOOL.match(line))}
    if not offered or RESULTS in sheet.sections:
        return None
    name = _chosen(sheet, seed, list(offered), ends)
    if name is None:
        return None
    return {"name": name, "input": _input(sheet, seed, offered[name]["properties"]["input"])}


def _chosen(sheet: Sheet, seed: int, offered: list[str], ends: dict[str, str | None]) -> str | None:
    last = [name for name in offered if ends.get(name)]
    others = [name for name in offered if not ends.get(name)]
    spoken = [line for line in sheet.history if line.who == sheet.me]
    if last and spoken and sheet.turn >= DECIDE_AFTER * sheet.turns:
        return last[chance(seed, "decide") % len(last)]
    if others and (len(spoken) < 2 or chance(seed, "look up") % 3 == 0):
        return others[(len(spoken) + chance(0, sheet.me, "which first")) % len(others)]
    return None


def _input(sheet: Sheet, seed: int, schema: Any) -> Any:
    """What fits the schema and the conversation: options that were just spoken of, reasons from one's own papers."""
    properties = schema.get("properties", {}) if isinstance(schema, dict) else {}
    told: dict[str, Any] = {}
    for name, asked in properties.items():
        if isinstance(asked, dict) and asked.get("enum"):
            told[name] = _option(sheet, seed, asked["enum"])
    written = [str(value) for value in told.values()]
    for name, asked in properties.items():
        if isinstance(asked, dict) and asked.get("type") == "string" and name not in told and "format" not in asked:
            told[name] = _reason(sheet, written)
    said = sheet.history[-1].text if sheet.history else sheet.prose("world")
    filled = Filler(schema, seed, [cut(sentence(said), 120)])
    made = {name: filled.fill(asked, told.get(name), name) for name, asked in properties.items()}
    return made or filled.fill(schema, {})


def _option(sheet: Sheet, seed: int, options: list[Any]) -> Any:
    heard = content_words(" ".join(line.text for line in sheet.history[-2:]))
    near = [len(content_words(str(option)) & heard) for option in options]
    best = [option for option, common in zip(options, near, strict=True) if common == max(near)]
    return best[chance(seed, "option", *map(str, options)) % len(best)]


def _reason(sheet: Sheet, chosen: list[str]) -> str:
    """The paper that names what was chosen, else the one nearest to what was just said."""
    papers = [item for item in sheet.items("papers") if " " in item.partition(": ")[2]]
    named = [item for item in papers if any(value in item.partition(": ")[0] for value in chosen)]
    heard = content_words(" ".join([*chosen, *(line.text for line in sheet.history[-2:])]))
    best = max(named or papers, key=lambda item: len(content_words(item) & heard), default="")
    return sentence(cut(bare(best.partition(": ")[2] or sheet.title or "as discussed"), 240))


def answer(sheet: Sheet, seed: int, _schema: dict[str, Any]) -> dict[str, Any]:
    """What a system prints: its name, what was asked, and what its owner has on file about it, word for word."""
    asked = _asked(sheet)
    name = next((item.partition(": ")[2] for item in sheet.items("the system") if item.startswith("Name")), "answer")
    name = name.replace("_", " ").strip()
    ends = "its use ends the conversation" in sheet.prose("the system").lower()
    lines = [f"{key.replace('_', ' ')}: {_plain(value)}" for key, value in asked.items()]
    found = [] if ends else _found(sheet, asked)
    if ends:
        content = f"{upper_first(name)}: done, recorded under number {1000 + chance(seed, name) % 9000}"
    else:
        body = "\n".join(f"- {line}" for line in found) or "- Nothing is on file about this."
        number = "1 entry" if len(found) == 1 else f"{len(found) or 'no'} entries"
        content = f"{upper_first(name)}: {number}\n{body}"
    return {"content": content, "documents": _documents(sheet, name, lines, found)}


def _asked(sheet: Sheet) -> dict[str, Any]:
    try:
        told = json.loads(sheet.prose("what is asked"))
    except json.JSONDecodeError:
        return {}
    return told if isinstance(told, dict) else {}


def _found(sheet: Sheet, asked: dict[str, Any]) -> list[str]:
    """Of what the owner has on file, the lines that have most to do with the question; in the order of the file."""
    known = _known(sheet)
    about = content_words(" ".join(_plain(value) for value in asked.values()))
    near = [len(about & content_words(line.replace("_", " "))) for line in known]
    near_enough = max(near, default=0)
    if not near_enough:
        told = sheet.prose("the system").partition("What it does: ")[2] + " " + sheet.prose("how it answers")
        about = content_words(told)
        near = [len(about & content_words(line.replace("_", " "))) for line in known]
        near_enough = max(1, max(near, default=0) // 2)
    return [_entry(line) for line, common in zip(known, near, strict=True) if common >= near_enough][:LINES]


def _entry(line: str) -> str:
    key, colon, value = line.partition(": ")
    return f"{key.replace('_', ' ')}: {value}" if colon and " " not in key else line


def _documents(sheet: Sheet, name: str, lines: list[str], found: list[str]) -> list[dict[str, str]]:
    """The one that the guidance asks for: `Attach the letter of decision as a document`."""
    attached = _ATTACHED.search(sheet.prose("how it answers"))
    if attached is None:
        return []
    title = upper_first(bare(attached[1]))
    body = "\n".join(f"- {line}" for line in [*lines, *found])
    text = f"# {title}\n\n{sheet.title}\n\n{upper_first(name)}:\n\n{body}\n"
    return [{"title": title, "content_type": "text/markdown", "text": text}]


def _known(sheet: Sheet) -> list[str]:
    """Lines of what the caller keeps; nested data is opened up, so that one line holds one thing."""
    caller = next((item.partition(":")[0].strip() for item in sheet.items("who asks")), "")
    own = [lines for heading, lines in sheet.sections.items() if heading.startswith(f"{caller} (seat ".lower())]
    listed = [line.strip() for lines in own for line in lines if re.match(r"[\w.-]+: ", line.strip())]
    opened = [part for line in listed for part in re.split(r'[{}\[\]]+,?|(?<="),(?=")', line)]
    plain = (re.sub(r'"([^"]*)"', r"\1", part).strip(" ,:") for part in opened)
    return [cut(line, 240) for line in plain if len(line) > 8]


def _plain(value: Any) -> str:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return str(value)
    return ", ".join(map(_plain, value)) if isinstance(value, list) else json.dumps(value, ensure_ascii=False)
