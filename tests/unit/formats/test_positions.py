"""Reading text into values with places."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pyscrai.formats.positions import read
from pyscrai.formats.tree import build, walk
from pyscrai.formats.yaml_events import yaml_events

LOADERS = [yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)]

TEXT = """\
name: negotiation
seats:
  regulator:
    goals:
      - be safe
      - "be quick"
    human: no
facts: {start: 2024-01-01, time: 12:30, share: .5, big: 0x10, old: 007, on: off, none: ~, yes: true}
"""


def test_values_follow_yaml_1_2() -> None:
    data = read(TEXT, "s.yaml").data
    assert data["seats"]["regulator"]["human"] == "no"
    assert data["facts"] == {
        "start": "2024-01-01",
        "time": "12:30",
        "share": 0.5,
        "big": 16,
        "old": 7,
        "on": "off",
        "none": None,
        "yes": True,
    }


@pytest.mark.parametrize(
    ("pointer", "key", "value"),
    [
        ("/name", (1, 1), (1, 7)),
        ("/seats/regulator", (3, 3), (4, 5)),
        ("/seats/regulator/goals/1", (6, 9), (6, 9)),
        ("/facts/share", (8, 41), (8, 48)),
    ],
)
def test_every_key_and_value_has_a_place(pointer: str, key: tuple[int, int], value: tuple[int, int]) -> None:
    positions = read(TEXT, "s.yaml").positions
    assert (positions.keys[pointer].line, positions.keys[pointer].column) == key
    assert (positions.values[pointer].line, positions.values[pointer].column) == value


def test_an_unknown_pointer_is_found_at_its_nearest_ancestor() -> None:
    positions = read(TEXT, "s.yaml").positions
    assert positions.place("/seats/regulator/title").line == 3
    assert positions.place("/nothing/here").line == 1


def test_crlf_and_byte_order_mark_keep_the_places() -> None:
    document = read(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode(), "s.yaml")
    assert document.readable
    assert document.positions.keys["/name"].column == 1
    assert document.positions.keys["/facts"].line == 8


def test_json_with_tabs_and_surrogate_pairs() -> None:
    document = read('{\t"a":\t1,\n\t"b": "\\ud83d\\ude00", "c": [true, null, -2.5e1, {}, []]}', "s.json")
    assert document.data == {"a": 1, "b": "\U0001f600", "c": [True, None, -25.0, {}, []]}
    assert document.positions.keys["/b"].line == 2
    assert document.positions.keys["/b"].column == 2
    assert document.positions.values["/c/3"].column == 49


def test_json_inside_a_yaml_file_and_yaml_flow_style() -> None:
    assert read('{"a":\t"\\ud83d\\ude00"}', "s.yaml").data == {"a": "\U0001f600"}
    assert read("{a: 1, b: [x]}", "s.yaml").data == {"a": 1, "b": ["x"]}


def test_aliases_and_merge_keys() -> None:
    document = read("base: &b {x: 1, y: 2}\nmine: {<<: *b, y: 3}\nsame: *b\nlist: {<<: [{z: 1}, *b]}\n", "s.yaml")
    assert document.data["mine"] == {"y": 3, "x": 1}
    assert document.data["same"] == {"x": 1, "y": 2}
    assert document.data["list"] == {"z": 1, "x": 1, "y": 2}
    assert document.positions.keys["/mine/x"].line == 1


LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join(['*' + a] * 10)}]\n" for a, b in zip("abcdefg", "bcdefgh", strict=True)
)
MERGES = "n0: &n0 {k: 1}\n" + "".join(f"n{i}: &n{i} {{<<: [*n{i - 1},*n{i - 1}]}}\n" for i in range(1, 60))

BROKEN = [
    pytest.param(b"", 1, 1, "empty", id="empty"),
    pytest.param(b"# only a remark\n", 1, 1, "empty", id="remark"),
    pytest.param(b"a: 1\nb: \xff\n", 2, 4, "UTF-8", id="utf8"),
    pytest.param("a: 1".encode("utf-16"), 1, 1, "UTF-16", id="utf16"),
    pytest.param(b"a: 1\nb: 2\na: 3\n", 3, 1, "twice", id="duplicate"),
    pytest.param(b"a:\n\tb: 1\n", 2, 1, "cannot start", id="tab"),
    pytest.param(b"a: 'open\nb: 2\n", 1, 4, "quoted", id="quote"),
    pytest.param(b"a: [1, 2\nb: 3\n", 1, 4, "flow sequence", id="bracket"),
    pytest.param(b"a: b: c\n", 1, 5, "mapping values", id="colon"),
    pytest.param(b'a: "\\d"\n', 1, None, "escape", id="escape"),
    pytest.param(b"a: @b\n", 1, 4, "cannot start", id="at"),
    pytest.param(b"a: *b\n", 1, 4, "no anchor", id="alias"),
    pytest.param(b"a: &b [*b]\n", 1, 8, "inside", id="recursive"),
    pytest.param(b"a: !python/object:os.system x\n", 1, 4, "tag", id="tag"),
    pytest.param(b"? [a]\n: 1\n", 1, 3, "key", id="complex-key"),
    pytest.param(b"a: 1\n---\nb: 2\n", 2, 1, "second document", id="documents"),
    pytest.param(b"a: .nan\n", 1, 4, "not-a-number", id="nan"),
    pytest.param(b"a: 1e999\n", 1, 4, "infinity", id="infinity"),
    pytest.param(b"a: " + b"9" * 5000, 1, 4, "digits", id="digits"),
    pytest.param(b"x: 1\na: \x01\n", 2, 4, "character", id="control"),
    pytest.param(b"[" * 20_000, 1, 65, "deeper", id="deep-list"),
    pytest.param(b"{a: " * 20_000, 1, 257, "deeper", id="deep-map"),
    pytest.param(LAUGHS.encode(), 1, None, "100,000", id="laughs"),
    pytest.param(MERGES.encode(), None, None, "", id="merges"),
    pytest.param(b"a: {<<: 1}\n", 1, 9, "<<", id="merge-what"),
    pytest.param(b"a: !!int x\n", 1, 4, "tag", id="wrong-tag"),
    pytest.param(b"x" * 2_000_001, 1, 1, "larger", id="large"),
]


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(("content", "line", "column", "words"), BROKEN)
def test_what_cannot_be_read_says_where(
    content: bytes,
    line: int | None,
    column: int | None,
    words: str,
    loader: type,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pyscrai.formats.positions.yaml_events", lambda text: yaml_events(text, loader))
    document = read(content, "s.yaml")
    found = document.findings[0]
    assert found.severity == "error"
    assert line in (None, found.line)
    assert column in (None, found.column)
    assert words in found.message


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ('{"a": 1,\n "b": 2,}', 2, 8, "closing bracket"),
        ('{"a": 1\n "b": 2}', 2, 2, 'expected ","'),
        ("{'a': 1}", 1, 2, "double quotes"),
        ('{"a": yes}', 1, 7, '"yes"'),
        ('{"a": NaN}', 1, 7, '"NaN"'),
        ('{"a" 1}', 1, 6, '":"'),
        ('{"a": 1} x', 1, 10, "after the end"),
        ('{"a": "x\ny"}', 1, 7, "does not end"),
        ('{"a": [1, 2', 1, 12, "file ends"),
        ('{"a": 1,', 1, 9, "file ends"),
        ("// remark\n{}", 1, 1, "value"),
        ('{"a": 1, "a": 2}', 1, 10, "twice"),
        ("[" * 20_000, 1, 65, "deeper"),
        ("", 1, 1, "empty"),
        ('{"a": ' + "9" * 5000 + "}", 1, 7, "digits"),
    ],
)
def test_what_is_not_json_says_where(text: str, line: int, column: int, words: str) -> None:
    found = read(text, "s.json").findings[0]
    assert (found.severity, found.line, found.column) == ("error", line, column)
    assert words in found.message


def test_characters_that_cannot_be_stored_are_replaced_and_reported() -> None:
    document = read('{"a": "x\\u0000y\\ud800"}', "s.json")
    assert document.data == {"a": "x�y�"}
    assert [f.severity for f in document.findings] == ["warning"]


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab01:-[]{}&*<>!|'\"#%@\\\n\t ,?~.é\x00\ufeff", max_size=60))
def test_no_text_raises(text: str) -> None:
    for file in ("s.yaml", "s.json"):
        document = read(text, file)
        assert document.readable or document.findings[0].line >= 1


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
def test_no_bytes_raise(content: bytes) -> None:
    read(content, "s.yaml")


@pytest.mark.parametrize("file", ["s.yaml", "s.json"])
def test_the_number_of_values_is_bounded(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyscrai.formats.tree.MAX_NODES", 1000)
    found = read("[\n" + "1,\n" * 1000 + "1]", file).findings[0]
    assert (found.line, found.message) == (1001, "more than 1,000 values")


def test_both_parsers_agree_on_places() -> None:
    trees = [build(yaml_events(TEXT, loader)) for loader in LOADERS]
    walked = [walk(tree) for tree in trees if tree]
    assert walked[0] == walked[-1]
    assert len(walked) == 2
