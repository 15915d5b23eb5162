"""A corpus of authors' mistakes in both dialects: each is found, on the line that the author has to look at."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.formats.corpus import expect

from pyscrai.formats.load import load

NATIVE = """\
format: pyscrai/scenario@1
name: frontier-rules
title: Frontier rules
language: en
world:
  text: Two parties talk.
seats:
  regulator:
    title: Regulator
    role: head of the agency
    goals:
      - safety
    model: rehearsal
  company:
    title: Company
    role: head of policy
schedule:
  policy: turns@1
  turns: 3
  end_when:
    - trust >= 0.7
metrics:
  trust:
    description: how far they trust each other
    type: number
    range: [0, 1]
checks:
  sense:
    severity: high
    prompt: Does it make sense?
"""

FLOW = """\
name: tide
world: {text: A harbour.}
seats:
  pilot: {role: pilot}
  mate: {role: mate}
schedule:
  policy: flow@1
  turns: 9
flow:
  bell:
    by: system
    on: start
    prompt: It rings.
  talk:
    by: any_seat
    on: bell
  answer:
    by: mate
    on: talk
    to: pilot
    result:
      mood: {type: string}
  look:
    by: narrator
    on: every_n_turns
    n: 2
"""

FLOW_MISTAKES = [
    ("by", "by: mate", "by: maet", 18, "error", 'did you mean "mate"?'),
    ("by-part", "by: narrator", "by: narator", 24, "error", 'did you mean "narrator"?'),
    ("on", "on: talk", "on: tlak", 19, "error", 'did you mean "talk"?'),
    ("trigger", "every_n_turns", "every_n_turn", 25, "error", 'did you mean "every_n_turns"?'),
    ("to", "to: pilot", "to: pliot", 20, "error", 'did you mean "pilot"?'),
    ("n", "    n: 2\n", "", 23, "error", "needs n"),
    ("n-zero", "n: 2", "n: 0", 26, "error", "greater than or equal to 1"),
    ("n-unused", "    to: pilot", "    n: 3", 20, "warning", "did you mean on: every_n_turns?"),
    ("no-start", "on: start", "on: talk", 9, "error", "nothing starts the flow"),
    ("ring", "on: bell", "on: answer", 16, "error", "wait for each other"),
    ("itself", "on: talk", "on: answer", 19, "error", "waits for itself"),
    ("silent", "    prompt: It rings.\n", "", 10, "error", "add prompt"),
    ("result", "{type: string}", "string", 22, "error", "as in {type: string}"),
    ("result-type", "{type: string}", "{type: strng}", 22, "error", 'did you mean "string"?'),
    ("result-own", "mood:", "text:", 22, "warning", "the answer has"),
    ("event", "to: pilot", "event: My Own", 20, "error", "does not name an event type"),
    ("when", "to: pilot", "when: trust > 3", 20, "error", 'there is no metric "trust"'),
    ("when-shape", "to: pilot", "when: at noon", 20, "error", "metric >= 0.8"),
    ("key", "prompt: It rings.", "promt: It rings.", 13, "error", 'did you mean "prompt"?'),
    ("step-name", "  talk:", "  Talk:", 14, "error", '"talk"'),
    ("reserved", "  look:", "  end:", 23, "error", "cannot be called"),
    ("twice", "  answer:", "  talk:", 17, "error", "on line 15 already"),
    ("idle", "    by: any_seat", "    by: mate", 4, "warning", "never acts"),
    ("repeat", "on: start", "repeat: 4", 12, "warning", "happens once"),
    ("list", "    by: any_seat", "    by: [mate]", 15, "error", "text is wanted here, not a list"),
]

# (id, text in the document, its replacement, line, severity, words of the finding)
NATIVE_MISTAKES = [
    ("key", "language: en", "langauge: en", 4, "error", 'did you mean "language"?'),
    ("seat-key", "    goals:\n", "    gaols:\n", 11, "error", 'did you mean "goals"?'),
    ("foreign-key", "    role: head of the agency", "    system_prompt: x", 10, "warning", '"instructions"'),
    ("nested-key", "  turns: 3", "  trns: 3", 19, "error", 'did you mean "turns"?'),
    ("top-turns", "language: en", "num_turns: 4", 4, "warning", "schedule: turns"),
    ("empty", "    role: head of policy", "    role:", 16, "warning", '"role" is empty'),
    ("format", "scenario@1", "scenario@9", 1, "error", "pyscrai/scenario@1"),
    ("name", "name: frontier-rules", "name: Frontier Rules", 2, "error", '"frontier-rules"'),
    ("number-for-text", "title: Frontier rules", "title: 2025", 3, "error", 'quotes around it: "2025"'),
    ("text-for-number", "turns: 3", 'turns: "3"', 19, "error", "a whole number is wanted"),
    ("word-for-number", "turns: 3", "turns: three", 19, "error", "a whole number is wanted"),
    ("bool-for-number", "turns: 3", "turns: true", 19, "error", "a whole number is wanted"),
    ("too-few-turns", "turns: 3", "turns: 0", 19, "error", "greater than or equal to 1"),
    ("yes-for-true", "    model: rehearsal", "    human: yes", 13, "error", "true or false is wanted"),
    (
        "mapping-for-text",
        "  text: Two parties talk.",
        "  text: {a: b}",
        6,
        "error",
        "text is wanted here, not a mapping",
    ),
    ("mapping-for-list", "      - safety", "      safety: high", 11, "error", "a list is wanted"),
    ("list-for-mapping", "      - safety", "      - {safety: high}", 12, "error", "text is wanted"),
    (
        "seats-as-text",
        "  regulator:\n    title: Regulator",
        "  regulator: 5\n  other:\n    title: R",
        8,
        "error",
        "mapping",
    ),
    ("seat-name", "  regulator:\n", "  The Regulator:\n", 8, "error", '"the-regulator"'),
    ("temperature", "    model: rehearsal", "    temperature: 3", 13, "error", "less than or equal to 2"),
    ("reserved-seat", "  company:\n", "  narrator:\n", 14, "error", 'cannot be called "narrator"'),
    ("same-title", "    title: Company", "    title: regulator", 15, "error", "the same title"),
    ("model", "model: rehearsal", "model: rehersal", 13, "warning", "did you mean rehearsal"),
    ("policy", "turns@1", "turn@1", 18, "error", 'did you mean "turns@1"?'),
    ("policy-version", "turns@1", "turns", 18, "error", "does not have the right form"),
    ("first", "turns@1", "dialogue@1\n  first: compny", 19, "error", 'did you mean "company"?'),
    ("phase", "  turns: 3", "  phases: [decision, world_updat]", 19, "error", 'did you mean "world_update"?'),
    ("no-decision", "  turns: 3", "  phases: [world_update]", 19, "error", "no seat ever moves"),
    ("end-metric", "trust >= 0.7", "turst >= 0.7", 21, "error", 'did you mean "trust"?'),
    ("end-shape", "trust >= 0.7", "when they trust each other", 21, "error", "metric >= 0.8"),
    ("end-seat", "trust >= 0.7", "trust[regulater] >= 0.7", 21, "error", 'did you mean "regulator"?'),
    ("metric-type", "type: number", "type: numbr", 25, "error", 'did you mean "number"?'),
    ("metric-way", "    type: number", "    by: pattern", 23, "error", "needs a pattern"),
    ("metric-range", "[0, 1]", "[1, 0]", 26, "error", "did you mean [0, 1]?"),
    ("metric-range-3", "[0, 1]", "[0, 1, 2]", 26, "error", "a list of two numbers"),
    ("metric-range-1", "[0, 1]", "[0]", 26, "error", "a list of two numbers"),
    ("metric-seat", "    range: [0, 1]", "    seat: regulater", 26, "error", 'did you mean "regulator"?'),
    ("look-ahead", "    range: [0, 1]", "    by: pattern\n    pattern: 'a(?=b)'", 27, "error", "look-ahead"),
    ("back-reference", "    range: [0, 1]", "    by: pattern\n    pattern: '(a)\\1'", 27, "error", "backreference"),
    ("open-group", "    range: [0, 1]", "    by: pattern\n    pattern: '(a'", 27, "error", "missing"),
    ("keywords", "    type: number", "    by: keyword", 23, "error", "needs keywords"),
    ("categories", "type: number\n    range: [0, 1]", "type: category", 23, "error", "needs categories"),
    ("severity", "severity: high", "severity: hihg", 29, "error", 'did you mean "high"?'),
    ("duplicate", "  company:\n", "  regulator:\n", 14, "error", "on line 8 already"),
    ("tab", "  text: Two", "\ttext: Two", 6, "error", "spaces, never with tabs"),
    ("quote", "title: Frontier rules", "title: 'Frontier rules", 3, "error", "is a quote left open?"),
    ("colon", "role: head of policy", "role: head: of policy", 16, "error", "needs quotes"),
    ("indentation", "    title: Company", "     title: Company", 16, "error", "indentation"),
    ("alias", "role: head of policy", "role: *head", 16, "error", "no anchor"),
    ("limits", "turns: 3", "limits: {mesages: 4}", 19, "error", 'did you mean "messages"?'),
    ("tool-policy", "    model: rehearsal", "    tools: [{name: ask}]", 13, "warning", "in dialogue@1 only"),
    ("tool-name", "    model: rehearsal", "    tools: [{name: 'ask me'}]", 13, "error", '"ask-me"'),
    (
        "tool-key",
        "    model: rehearsal",
        "    tools: [{name: a, guidence: b}]",
        13,
        "error",
        'did you mean "guidance"?',
    ),
    ("tool-twice", "    model: rehearsal", "    tools: [{name: a}, {name: a}]", 13, "error", "two tools"),
    (
        "tool-schema",
        "    model: rehearsal",
        "    tools:\n      - name: a\n        input_schema: {type: objct}",
        15,
        "error",
        'did you mean "object"?',
    ),
    (
        "tool-ends",
        "    model: rehearsal",
        "    tools: [{name: a, ends: sucess}]",
        13,
        "error",
        'did you mean "success"?',
    ),
    ("flow-none", "turns@1", "flow@1", 18, "error", "there is none"),
    ("flow-policy", "checks:", "flow: {a: {by: company}}\nchecks:", 27, "warning", "turns@1 plays no flow"),
    ("world-empty", "  text: Two parties talk.", '  text: ""', 5, "warning", "the world is empty"),
]

LAB = {
    "scenario.yaml": """\
name: Park planning
description: A park
system_prompt: You plan a park.
initial_world_state: |
  An empty lot.
turns: 3
turn_duration: 1 week
world_state_model: openai/gpt-4o-mini
actors:
  - parents
  - gardeners
features:
  metrics_extraction:
    enabled: true
""",
    "actors/parents.yaml": """\
name: Parents' Group
short_name: parents
llm_model: openai/gpt-4o-mini
goals:
  - a playground
expertise: much
decision_style: kind
control: ai
""",
    "actors/gardeners.yaml": """\
name: Gardening Club
short_name: gardeners
goals:
  - flowers
""",
    "metrics.yaml": """\
scenario_name: Park planning
metrics:
  plots:
    description: plots
    type: integer
    extraction_method: regex
    pattern: '(\\d+) plots'
    actor_specific: true
    actor: Gardening Club
""",
    "validation-rules.yaml": """\
validation_model: openai/gpt-4o-mini
checks:
  sense:
    enabled: true
    severity: high
    prompt_template: |
      Is {actor_action} sensible?
severity_thresholds:
  medium: warn
""",
}

# (id, file, text, replacement, file of the finding, line, severity, words)
LAB_MISTAKES = [
    ("key", "scenario.yaml", "turn_duration:", "turn_durration:", None, 7, "warning", 'did you mean "turn_duration"?'),
    ("turns", "scenario.yaml", "turns: 3", "turns: three", None, 6, "error", "a whole number"),
    ("no-turns", "scenario.yaml", "turns: 3\n", "", None, 1, "warning", "turns is missing"),
    ("actor-file", "scenario.yaml", "- gardeners", "- gardners", None, 11, "error", 'did you mean "gardeners"?'),
    ("actor-spare", "scenario.yaml", "  - gardeners\n", "", "actors/gardeners.yaml", 1, "warning", "does not name it"),
    ("actor-twice", "scenario.yaml", "- gardeners", "- parents", "actors/parents.yaml", 1, "error", "two actors"),
    ("actors-text", "scenario.yaml", "actors:\n  - parents\n  - gardeners", "actors: x", None, 9, "error", "a list"),
    ("no-actors", "scenario.yaml", "actors:\n  - parents\n  - gardeners", "actors: []", None, 9, "error", "no actors"),
    ("feature", "scenario.yaml", "metrics_extraction", "metric_extraction", None, 13, "warning", "metrics_extraction"),
    ("switch", "scenario.yaml", "enabled: true", "enabled: maybe", None, 14, "error", "true or false"),
    ("duplicate", "scenario.yaml", "turn_duration: 1 week", "turns: 4", None, 7, "error", "on line 6 already"),
    (
        "goals-number",
        "actors/parents.yaml",
        "goals:\n  - a playground",
        "goals: 5",
        None,
        4,
        "error",
        "a list is wanted",
    ),
    ("actor-key", "actors/parents.yaml", "expertise:", "expertize:", None, 6, "warning", 'did you mean "expertise"?'),
    ("control", "actors/parents.yaml", "control: ai", "control: humn", None, 8, "error", 'did you mean "human"?'),
    ("actor-yaml", "actors/parents.yaml", "goals:", "goals: [", None, 5, "error", "not valid YAML"),
    ("actor-tab", "actors/parents.yaml", "  - a playground", "\t- a playground", None, 5, "error", "tabs"),
    (
        "actor-title",
        "actors/parents.yaml",
        "Parents' Group",
        "Gardening Club",
        "actors/gardeners.yaml",
        1,
        "error",
        "same title",
    ),
    (
        "metric-actor",
        "metrics.yaml",
        "actor: Gardening",
        "actor: Gardning",
        None,
        9,
        "error",
        'did you mean "gardening club"?',
    ),
    ("metric-method", "metrics.yaml", "method: regex", "method: rgex", None, 6, "error", 'did you mean "regex"?'),
    ("metric-type", "metrics.yaml", "type: integer", "type: intger", None, 5, "error", 'did you mean "integer"?'),
    ("metric-key", "metrics.yaml", "pattern:", "patern:", None, 7, "warning", 'did you mean "pattern"?'),
    ("metric-look", "metrics.yaml", "(\\d+) plots", "(?<=x)\\d+", None, 7, "error", "look-behind"),
    ("metric-scalar", "metrics.yaml", "  plots:\n", "  few: 5\n  plots:\n", None, 3, "error", "a metric is a mapping"),
    ("severity", "validation-rules.yaml", "severity: high", "severity: hihg", None, 5, "error", 'did you mean "high"?'),
    ("threshold", "validation-rules.yaml", "medium: warn", "medium: wran", None, 9, "error", 'did you mean "warn"?'),
    ("placeholder", "validation-rules.yaml", "{actor_action}", "{actor_acton}", None, 6, "warning", "actor_action"),
    ("check-key", "validation-rules.yaml", "enabled:", "enabeld:", None, 4, "warning", 'did you mean "enabled"?'),
    ("check-scalar", "validation-rules.yaml", "  sense:\n", "  other: 1\n  sense:\n", None, 3, "error", "a mapping"),
]


@pytest.mark.parametrize(
    ("name", "old", "new", "line", "severity", "words"),
    [pytest.param(*mistake, id=mistake[0]) for mistake in NATIVE_MISTAKES],
)
def test_native(name: str, old: str, new: str, line: int, severity: str, words: str, tmp_path: Path) -> None:
    assert NATIVE.count(old) >= 1
    file = tmp_path / "rules.yaml"
    file.write_text(NATIVE.replace(old, new, 1))
    loaded = load(file)
    expect(loaded, "native", name, str(file), line, severity, words)


@pytest.mark.parametrize(
    ("name", "old", "new", "line", "severity", "words"),
    [pytest.param(*mistake, id=mistake[0]) for mistake in FLOW_MISTAKES],
)
def test_flow(name: str, old: str, new: str, line: int, severity: str, words: str, tmp_path: Path) -> None:
    assert FLOW.count(old) >= 1
    file = tmp_path / "tide.yaml"
    file.write_text("format: pyscrai/scenario@1\n" + FLOW.replace(old, new, 1))
    expect(load(file), "native", f"flow-{name}", str(file), line + 1, severity, words)


@pytest.mark.parametrize(
    ("name", "file", "old", "new", "found_in", "line", "severity", "words"),
    [pytest.param(*mistake, id=mistake[0]) for mistake in LAB_MISTAKES],
)
def test_scenario_lab(
    name: str, file: str, old: str, new: str, found_in: str | None, line: int, severity: str, words: str, tmp_path: Path
) -> None:
    assert LAB[file].count(old) >= 1
    write_lab(tmp_path, {**LAB, file: LAB[file].replace(old, new, 1)})
    loaded = load(tmp_path)
    assert loaded.dialect == "scenariolab"
    expect(loaded, "scenariolab", name, str(tmp_path / (found_in or file)), line, severity, words)


def test_without_a_mistake_there_is_nothing_to_say(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(NATIVE)
    write_lab(tmp_path / "park", LAB)
    assert load(tmp_path / "rules.yaml").findings == []
    assert load(tmp_path / "park").findings == []


def write_lab(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
