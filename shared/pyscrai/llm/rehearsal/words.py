"""Small grammar of English: what an author wrote as a goal or a rule, turned into parts of sentences."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_VERBS = frozenset(
    """
    accept achieve address adopt advance agree allow apply appoint argue arrange ask assure attract avoid balance be
    become begin bring broker build buy call carry change charge check choose claim clear close collect come complete
    connect consider contain continue control convince cover create cut deal decide defend define delay deliver demand
    demonstrate deny design develop discover do draw earn encourage end enforce engage ensure enter establish explain
    explore expose extend fight figure fill finance find finish fix force form foster free gain get give go grow
    guarantee hand have hear help hide hold identify implement improve include increase influence inform insist
    introduce invest involve join judge keep know lead learn leave let leverage limit listen lower maintain make
    manage maximize meet minimize move negotiate obtain offer open organise organize own part pass pay persuade plan
    play position postpone prepare present preserve press prevent produce promote propose protect prove provide
    publish push put raise reach receive recover reduce reference refuse remain remember remove renew repair replace
    report represent require resist resolve restore retain return reveal run satisfy save secure seek sell send serve
    set settle share show sign solve speak spend spread stand start stay stop strengthen support survive take talk
    teach tell test trade train transfer treat try turn understand unite uphold use wait walk warn win work write
    """.split()  # noqa: SIM905
)
_TELLING = frozenset(["describe", "imagine", "mention", "name", "note", "say", "think", "weigh", "set", "begin", "do"])
_FINITE = re.compile(
    r"\b(is|are|was|were|has|have|had|must|cannot|can|will|would|does|do|may|needs?|costs?|ends?)\b", re.I
)
_PLURAL_DOES = re.compile(
    r"^(?:\w+ ){0,2}\w+s (?:expect|require|need|want|demand|believe|think|fear|hope|know|depend|watch|remain|wait|ask|"
    r"matter|rely|follow|oppose|support|insist|hold|control|limit|make|keep|take)\b",
    re.I,
)
_DETERMINERS = ("the", "a", "an", "our", "my", "this", "that", "these", "those", "every", "each", "any")
_NOT_VERBS = frozenset(
    [*_DETERMINERS, "all", "both", "half", "not", "no", "only", "more", "less", "in", "on", "for", "of", "at", "if"]
)
_MODAL = re.compile(
    r"^(?:(?:you|we|i|they)\s+)?(cannot|can not|can't|can only|can|must not|mustn't|must|may not|may only|should not|"
    r"should|shall not|shall|will not|won't|need to|needs to|have to|has to|do not|don't|never|avoid)\s+(.+)$",
    re.I,
)
_AS_SPOKEN = {
    "can not": "cannot",
    "can't": "cannot",
    "mustn't": "must not",
    "won't": "will not",
    "needs to": "need to",
    "has to": "have to",
    "do not": "will not",
    "don't": "will not",
    "never": "will never",
    "avoid": "have to avoid",
    "shall": "must",
    "shall not": "must not",
}
_ORGANISATIONS = re.compile(
    r"\b(agency|alliance|assembly|association|authority|bank|board|bureau|chamber|charity|city|club|coalition|college|"
    r"commission|committee|company|cooperative|co-operative|corporation|council|court|department|district|faction|"
    r"federation|firm|foundation|fund|government|group|guild|hospital|industry|institute|kingdom|league|ministry|movement|"
    r"network|office|organi[sz]ation|parliament|party|press|regulator|republic|school|senate|society|states?|team|tribe|"
    r"union|university|utility|village)\b",
    re.I,
)
_OFFICES = re.compile(
    r"\b(advis[eo]r|ambassador|captain|chair|chief|delegate|director|doctor|engineer|farmer|governor|inspector|judge|keeper|"
    r"lawyer|leader|manager|mayor|mediator|minister|nurse|officer|owner|president|representative|secretary|speaker|teacher)\b",
    re.I,
)
_HONOURED = re.compile(
    r"^(Brother|Captain|Cardinal|Count|Countess|Dame|Doctor|Dr|Father|Judge|King|Lady|Lord|Madam|Miss|Monsignor|Mother|Mr|"
    r"Mrs|Ms|Pope|Prince|Princess|Professor|Queen|Rabbi|Saint|Sir|Sister)\.? [A-Z]|\b[IVX]+$"
)
"""A name that is used whole: `Doctor Serra`, `Leo XIII`."""
_ENDS = re.compile(r"([.!?…][”\"]?)\s+(?=[A-Z“\"0-9])")
_VERSUS = re.compile(r"\bvs$")
_STOPS = re.compile(
    r"(?:,|;|:|\b(?:that|which|who|so|without|from|through|until|before|after|by|in|into|for|with|on|at|of|to|and|or|as|"
    r"than|home|out|away|back|down|up|off|today|tonight|now|once|again|running|during|between|over|under|while|where|when)\b)"
)


@dataclass(frozen=True)
class Voice:
    """How somebody speaks of themselves: a person as I, a body of people as we."""

    i: str = "I"
    me: str = "me"
    my: str = "my"

    @classmethod
    def of(cls, title: str) -> Voice:
        return cls("we", "us", "our") if is_body(title) else cls()


def is_body(title: str) -> bool:
    """Whether a title names an organisation rather than a person."""
    return bool(_ORGANISATIONS.search(title))


def plain_title(title: str) -> str:
    """A title without what stands in brackets after it."""
    return re.sub(r"\s*\([^)]*\)\s*$", "", title).strip() or title


def called(title: str) -> str:
    """How one speaks to somebody: by the first name where the title is a person's name, else by the title."""
    title = plain_title(title)
    person = re.fullmatch(r"([A-Z][\w'’-]+) (?:[A-Z][\w.'’-]+ ?){1,2}", title)
    return person[1] if person and not is_body(title) and not _HONOURED.search(title) else title


def mentioned(title: str) -> str:
    """How one speaks of somebody in the middle of a sentence: `Ines`, `the regulator`, `the European Union`."""
    title = plain_title(title)
    short = called(title)
    if short != title or title.lower().startswith("the ") or (_HONOURED.search(title) and not is_body(title)):
        return short
    proper = all(word[:1].isupper() for word in title.split() if len(word) > 3)
    if is_body(title) or _OFFICES.search(title):
        return f"the {title if proper and ' ' in title else lower_first(title)}"
    return title if proper else f"the {lower_first(title)}"


def lower_first(text: str, names: frozenset[str] = frozenset()) -> str:
    """The text as it goes on inside a sentence; words that are names keep their capital."""
    first = re.match(r"[\w'’-]+", text)
    if not first or first[0] in names or first[0] == "I" or (not first[0][1:].islower() and len(first[0]) > 1):
        return text
    return text[0].lower() + text[1:]


def upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]


def bare(text: str) -> str:
    """One line without the full stop."""
    return re.sub(r"\s+", " ", text).strip().rstrip(".!;:, ")


def sentence(text: str) -> str:
    """A sentence: capital at the start, a mark at the end, no doubled blanks or words."""
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r"\b([a-z]{2,}) \1\b", r"\1", text)
    if text.endswith("”") and not text[:-1].endswith((".", "!", "?", "…")):
        text = f"{text[:-1]}.”"
    return upper_first(text) if text.endswith((".", "!", "?", "”", "…")) else f"{upper_first(text)}."


def is_verb(word: str) -> bool:
    """Whether a sentence that begins with this word tells somebody to do something."""
    return word in _VERBS or word in _TELLING


def first_word(text: str) -> str:
    found = re.match(r"[A-Za-z'’-]+", text)
    return found[0].lower() if found else ""


def doing(goal: str, voice: Voice, names: frozenset[str]) -> str:
    """A goal, however it was written, as what goes after `I want to`."""
    text = owned(
        bare(re.sub(r"^(?:to|your goal is to|you want to|i want to|we want to)\s+", "", goal, flags=re.I)), voice
    )
    word = first_word(text)
    if word in _VERBS or _is_verb(text):
        return lower_first(text, names)
    if word.endswith("ing") and len(word) > 5:
        return f"go on {lower_first(text, names)}"
    if _FINITE.search(text) and word in (*_DETERMINERS, "there", "no", "nobody", "everybody", "it"):
        return f"make sure that {lower_first(text, names)}"
    return f"see {lower_first(text, names)}"


def _is_verb(text: str) -> bool:
    """A word that we do not know is a verb where an article or a possessive follows it: `Rewire the mill`."""
    words = text.lower().split()
    follows = words[1] if len(words) > 1 else ""
    return (
        words[0] not in _NOT_VERBS
        and not words[0].endswith(("ing", "s"))
        and (follows in (*_DETERMINERS, "their", "its") or (follows.endswith("ly") and len(follows) > 5))
    )


def ruled(constraint: str, voice: Voice, names: frozenset[str]) -> str:
    """A constraint, however it was written, as a clause in the first person."""
    text = owned(bare(constraint), voice)
    if modal := _MODAL.match(text):
        verb = modal[1].lower()
        return f"{voice.i} {_AS_SPOKEN.get(verb, verb)} {modal[2]}"
    word = first_word(text)
    if word == "no":
        return f"there can be {lower_first(text, names)}"
    if word in ("we", "i"):
        return lower_first(text, names)
    if word in _VERBS or _is_verb(text):
        return f"{voice.i} have to {lower_first(text, names)}"
    if _FINITE.search(text) or _PLURAL_DOES.match(text):
        return lower_first(text, names)
    return f"{voice.i} have to live with {lower_first(text, names)}"


def owned(text: str, voice: Voice) -> str:
    """What was said to `you`, as said by oneself."""
    for theirs, mine in (("your", voice.my), ("yourself", voice.me), ("you are", f"{voice.i} am"), ("you", voice.i)):
        mine = "we are" if mine == "we am" else mine
        text = re.sub(rf"\b{theirs}\b", mine, text, flags=re.I)
    return upper_first(text)


def topic(goal: str) -> str | None:
    """What a goal is about, to be named without reciting it: `the turbines`; None where that is not easy to say."""
    words = bare(goal).split()
    rest = " ".join(words[1:] if words and words[0].lower() in _VERBS else words)
    stop = _STOPS.search(rest)
    head = (rest[: stop.start()] if stop else rest).strip()
    if stop and stop[0] == ",":
        return None
    parts = head.split()
    if not 2 <= len(parts) <= 5 or parts[0].lower() not in _DETERMINERS[:-3] or re.search(r"\d", head):
        return None
    return " ".join(["the" if parts[0].lower() in ("a", "an") else parts[0].lower(), *parts[1:]])


def cut(text: str, limit: int) -> str:
    """At most `limit` characters, ending at the end of a clause or else of a word, with an ellipsis."""
    if len(text) <= limit:
        return text
    head = text[: limit - 1]
    clause = max(head.rfind(mark) for mark in (", ", "; ", ": ", " – "))
    end = clause if clause > limit // 2 else head.rfind(" ")
    return head[: end if end > 0 else limit - 1].rstrip(",;: –") + "…"


def sentences(text: str) -> list[str]:
    """The sentences of a text; a quotation stays within its sentence."""
    return list(_sentences(text))


@lru_cache(maxsize=4096)
def _sentences(text: str) -> tuple[str, ...]:
    """Kept, because every seat of a turn reads the same lines."""
    parts, start = [], 0
    for end in _ENDS.finditer(text):
        if end[1] != "." or not _VERSUS.search(text[max(0, end.start() - 3) : end.start()]):
            parts.append(text[start : end.end(1)])
            start = end.end()
    parts.append(text[start:])
    return tuple(part.strip() for part in parts if part.strip())


def join(parts: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(parts) if len(parts) < 3 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def content_words(text: str) -> set[str]:
    """Words that carry meaning, roughly stemmed, for finding what belongs together."""
    return set(_content_words(text))


@lru_cache(maxsize=4096)
def _content_words(text: str) -> frozenset[str]:
    return frozenset(
        re.sub(r"(ing|ed|es|s)$", "", word) for word in re.findall(r"[a-z]{4,}", text.lower()) if word not in _COMMON
    )


_COMMON = frozenset(
    """
    about after again also been before being come could does down each even ever every from have here into just know
    like long made make many more most much must need never nobody only other over same should some still such than that
    their them then there these they thing think this those through time under until very want were what when where
    which while will with would your yours
    """.split()  # noqa: SIM905
)
