"""Tools in a rehearsal: when a seat asks one, with what input, and what the system answers."""

from __future__ import annotations

import re
from typing import Any

from pyscrai.domain.chance import chance
from pyscrai.llm.rehearsal.reading import Sheet
from pyscrai.llm.rehearsal.schema import Filler
from pyscrai.llm.rehearsal.words import content_words, cut, sentence

DECIDE_AFTER = 0.6
"""Share of the messages after which somebody who can end the conversation does."""
LINES = 6
_TOOL = re.compile(r"^(?P<name>[\w.-]+)(?: \(ends the conversation: (?P<ends>\w+)\))?: ")


def tool_call(sheet: Sheet, seed: int, schema: dict[str, Any]) -> dict[str, Any] | None:
    """A call of one of the tools that the schema offers, or None to speak.

    Something is looked up before the first own word and after that now and then; a tool that ends the conversation is
    used late, and only by somebody who has looked something up.
    """
    offered = {
        option["properties"]["name"]["const"]: option
        for option in schema["properties"]["tool_call"].get("anyOf", [])
        if "properties" in option
    }
    ends = {found["name"]: found["ends"] for line in sheet.items("your tools") if (found := _TOOL.match(line))}
    if not offered or "what your tools have answered" in sheet.sections:
        return None
    name = _chosen(sheet, seed, list(offered), ends)
    if name is None:
        return None
    wanted = offered[name]["properties"]["input"]
    said = sheet.history[-1].text if sheet.history else sheet.prose("world")
    return {"name": name, "input": Filler(wanted, seed, [cut(sentence(said), 120)]).fill(wanted, {})}


def _chosen(sheet: Sheet, seed: int, offered: list[str], ends: dict[str, str | None]) -> str | None:
    last = [name for name in offered if ends.get(name)]
    others = [name for name in offered if not ends.get(name)]
    spoken = [line for line in sheet.history if line.who == sheet.me]
    if last and spoken and sheet.turn >= DECIDE_AFTER * sheet.turns:
        return last[chance(seed, "decide") % len(last)]
    if others and (not spoken or chance(seed, "look up") % 3 == 0):
        return others[(len(spoken) + chance(seed, "which")) % len(others)]
    return None


def answer(sheet: Sheet, _seed: int, _schema: dict[str, Any]) -> dict[str, Any]:
    """What a system says: the lines of what is known that have most to do with the question, word for word."""
    about = sheet.prose("the system") + sheet.prose("how it answers") + sheet.prose("what is asked")
    wanted = set(content_words(about))
    known = _known(sheet)
    ranked = sorted(range(len(known)), key=lambda i: (-len(wanted & set(content_words(known[i]))), i))
    lines = [known[i] for i in sorted(ranked[:LINES])]
    name = next((item.partition(": ")[2] for item in sheet.items("the system") if item.startswith("Name")), "")
    head = f"**{name.replace('_', ' ')}**" if name else "**Answer**"
    body = "\n".join(f"- {line}" for line in lines) or "- Nothing is on file."
    return {"content": f"{head}\n\n{body}", "documents": []}


def _known(sheet: Sheet) -> list[str]:
    """Lines of knowledge; nested data is opened up, so that one line holds one thing."""
    found = []
    for heading, lines in sheet.sections.items():
        if (heading.endswith(")") and "(seat " in heading) or heading in ("what everybody knows and keeps", "papers"):
            found += [line.strip() for line in lines if line.strip()]
    opened = [part for line in found for part in re.split(r'[{}\[\]]+,?|(?<="),(?=")', line)]
    plain = (re.sub(r'"([^"]*)"', r"\1", part).strip(" ,:") for part in opened)
    return [cut(line, 240) for line in plain if len(line) > 8]
