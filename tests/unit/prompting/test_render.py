"""Prompts: what they may do, what they may not, and how they read."""

import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyscrai.prompting import PromptError, check, known_variables, render, variables
from pyscrai.prompting.render import tidy


def test_a_missing_variable_is_empty_and_the_text_is_tidy() -> None:
    template = "# You\n\n\n\n{% for g in goals %}\n- {{ g }}\n\n{% endfor %}\n{{ nobody.home }}   \n\n# End"
    assert render(template, {"goals": ["a", "b"]}) == "# You\n\n- a\n- b\n\n# End"


def test_the_view_wins_over_the_payload_and_the_payload_stays_readable() -> None:
    values = variables({"turn": 2}, {"turn": 9, "prompt": "hi"})
    assert render("{{ turn }} {{ data.turn }} {{ prompt }}", values) == "2 9 hi"


@pytest.mark.parametrize(
    "path",
    ["goals.__class__", "you.__class__.__mro__", "you.keys", "you.items", "turn.bit_length", "turn.__class__", "f.x"],
)
def test_no_attribute_of_an_object_can_be_reached(path: str) -> None:
    class Secret:
        x = "leak"

    values = {"you": {"seat": "a"}, "goals": ["g"], "turn": 3, "f": Secret()}
    assert render("[{{ " + path + " }}]", values) == "[]"


@pytest.mark.parametrize(
    "template",
    [
        "{% for i in (1..100000000) %}{% endfor %}",
        "{% for i in (1..300) %}{% for j in (1..300) %}x{% endfor %}{% endfor %}",
        "{% for i in (1..9000) %}{% endfor %}" * 3,
        "{{ (1..100000000) | join: ',' }}",
        "{% assign x = 'aaaaaaaa' %}{% for i in (1..40) %}{% assign x = x | append: x %}{% endfor %}",
        "{% assign x = 9 %}{% for i in (1..40) %}{% assign x = x | times: x %}{% endfor %}",
        "{% for i in (1..9000) %}{{ long }}{% endfor %}",
        "{% assign x = long | replace: 'a', long %}{{ x }}",
        "{% if a %}" * 60 + "{% endif %}" * 60,
        "x" * 70_000,
    ],
)
def test_every_resource_is_bounded(template: str) -> None:
    with pytest.raises(PromptError):
        render(template, {"long": "a" * 20_000})


@pytest.mark.parametrize("template", ["{% include 'x' %}", "{% render 'x' %}", "{{ 'now' | date: '%Y' }}"])
def test_nothing_comes_from_outside(template: str) -> None:
    with pytest.raises(PromptError):
        render(template, {})


def test_check_names_line_and_what_was_meant() -> None:
    template = (
        "{{ you.goals }}\n{{ you.gaols }}\n{% for g in you.goals %}{{ g }}{% endfor %}\n{{ trun }} {{ turn | upcse }}"
    )
    problems = check(template, known_variables("actor"))
    assert [(p.line, p.message, p.hint) for p in problems] == [
        (2, "unknown variable 'you.gaols'", "you.goals"),
        (4, "unknown filter 'upcse'", "upcase"),
        (4, "unknown variable 'trun'", "turn"),
    ]


def test_check_reports_broken_syntax_with_its_line() -> None:
    problems = check("fine\n{% if x %}\nno end", known_variables("actor"))
    assert len(problems) == 1
    with pytest.raises(PromptError) as caught:
        render("fine\n{{ 'a' | nofilter }}", {})
    assert caught.value.line == 2


def test_what_belongs_to_seats_is_unknown_to_the_narrator() -> None:
    assert check("{{ you.private }}", known_variables("narrator"))
    assert not check("{{ world.facts.anything }} {{ moves.size }}", known_variables("narrator"))


def test_plain_reads_like_a_sentence() -> None:
    assert render("{{ a | plain }}", {"a": ["x", True, 3]}) == "x, yes and 3"
    assert render("{{ a | plain }}", {"a": {"b": [1, 2], "c": None}}) == "b: 1 and 2; c:"


def test_importing_the_package_does_not_import_liquid() -> None:
    code = "import sys, pyscrai.prompting; sys.exit('liquid' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


OLD = [
    (re.compile(r"[ \t]+$", re.MULTILINE), ""),
    (re.compile(r"^(- [^\n]*)\n{2,}(?=- )", re.MULTILINE), r"\1\n"),
    (re.compile(r"\n{3,}"), "\n\n"),
]
"""What `tidy` was first written as: prompts are pinned, so not one character may come out otherwise."""


@settings(max_examples=300)
@given(text=st.text(alphabet="-a \t\n\r\x0b\x1c\u2028\u00a0", max_size=60))
def test_tidy_and_squish_are_what_they_were(text: str) -> None:
    was = text
    for pattern, instead in OLD:
        was = pattern.sub(instead, was)
    assert tidy(text) == was.strip()
    assert render("{{ text | squish }}", {"text": f"x{text}x"}) == re.sub(r"\s+", " ", f"x{text}x".strip())


@settings(max_examples=60, deadline=None)
@given(
    wide=st.sampled_from(["a", "é", "…", "\U0001f33b"]),
    over=st.integers(-3, 3),
    before=st.integers(0, 5),
    captured=st.booleans(),
)
def test_output_is_bounded_by_its_bytes_to_the_byte(wide: str, over: int, before: int, captured: bool) -> None:
    limit = 256 * 1024
    piece = wide * (20_000 // len(wide.encode()))
    pieces, rest = divmod(limit + over - before, len(piece.encode()))
    values = {"pieces": [piece] * pieces, "rest": "x" * rest, "before": "x" * before}
    body = "{{ before }}{% for piece in pieces %}{{ piece }}{% endfor %}{{ rest }}"
    template = "{% capture all %}" + body + "{% endcapture %}{{ all | size }}" if captured else body
    if over > 0:
        with pytest.raises(PromptError, match="output stream limit"):
            render(template, values)
    elif captured:
        assert render(template, values) == str(before + pieces * len(piece) + rest)
    else:
        assert len(render(template, values).encode()) == limit + over


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.b.c", "1"),
        ("a.list[1]", "2"),
        ("a.list[9]", ""),
        ("a.list.size", "3"),
        ("a.list.first.x", ""),
        ("a.size", "9"),
        ("a.nothing.at.all", ""),
        ("nobody", ""),
        ("a.b['c']", "1"),
        ("a[key].c", "1"),
        ("a.text.upper", ""),
        ("a.text.size", "2"),
    ],
)
def test_names_lead_to_values_and_nothing_else(path: str, text: str) -> None:
    values = {"a": {"b": {"c": 1}, "list": [1, 2, 3], "size": 9, "text": "ab"}, "key": "b"}
    assert render("{{ " + path + " }}", values) == text
