"""Files of the data folder."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from pyscrai.embedded.folder import Folder, State
from pyscrai.machine.errors import MachineError
from pyscrai.machine.files import data_home, last_lines, private_folder, read_json, rotate, write_private


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_data_folder_is_the_settings_and_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYSCRAI_DATA", str(tmp_path / "deep" / "data"))
    assert data_home() == tmp_path / "deep" / "data"
    assert mode(data_home()) == 0o700


def test_without_a_setting_it_is_the_platforms_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYSCRAI_DATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert data_home().is_relative_to(tmp_path)
    assert data_home().name == "pyscrai"


def test_an_existing_folder_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o755)
    before = mode(tmp_path / "data")
    assert mode(private_folder(tmp_path / "data")) == before


def test_a_relative_folder_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert private_folder(Path("data")) == tmp_path / "data"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o500)
    with pytest.raises(MachineError, match="cannot be written"):
        private_folder(tmp_path / "data")


def test_private_files_are_private_and_replaced_in_one_step(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    write_private(file, "one")
    before = file.stat().st_ino
    write_private(file, "two")
    assert file.read_text() == "two"
    assert mode(file) == 0o600
    assert file.stat().st_ino != before
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(("text", "found"), [('{"a": 1}', {"a": 1}), ("[1]", None), ("", None), ("{", None)])
def test_reading_json(tmp_path: Path, text: str, found: object) -> None:
    (tmp_path / "file").write_text(text)
    assert read_json(tmp_path / "file") == found
    assert read_json(tmp_path / "missing") is None


def test_logs_rotate_and_the_oldest_goes(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "a.log"
    for text in ("1", "2", "3", "4"):
        rotate(log).write_text(text)
    assert {path.name: path.read_text() for path in log.parent.iterdir()} == {
        "a.log": "4",
        "a.log.1": "3",
        "a.log.2": "2",
    }


def test_the_last_lines_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    assert last_lines(log) == ""
    log.write_text("".join(f"line {number}\n" for number in range(5000)) + "\n")
    assert last_lines(log, 2) == "line 4998\nline 4999"
    log.write_bytes(b"\xff broken\n")
    assert last_lines(log) == "\N{REPLACEMENT CHARACTER} broken"


def test_the_state_of_another_version_of_ours_reads_as_none(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    assert folder.state() is None
    state = State(port=1, version="18.4", supervisor=2, server=3, data="/x")
    folder.state_file.write_text(json.dumps(state.__dict__))
    assert folder.state() == state
    folder.state_file.write_text(json.dumps({**state.__dict__, "colour": "blue"}))
    assert folder.state() is None


def test_the_fingerprint_does_not_depend_on_how_the_path_is_written(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    assert Folder(tmp_path).fingerprint == Folder(tmp_path / "link" / ".").fingerprint
    assert len(Folder(tmp_path).fingerprint) == 16
