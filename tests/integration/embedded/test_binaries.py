"""Which PostgreSQL is taken, and what is said where none is."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from pyscrai.embedded import binaries
from pyscrai.embedded.account import anyone_can_read
from pyscrai.embedded.binaries import Binaries, find_binaries, for_another_user, major_of
from pyscrai.embedded.errors import EmbeddedError


def programs(folder: Path, version: str, *names: str) -> Path:
    """A folder with programs that say a version."""
    folder.mkdir(parents=True)
    for name in names or ("postgres", "initdb"):
        (folder / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
        (folder / name).chmod(0o700)
    return folder


@pytest.fixture
def nothing_found(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(binaries, "_wheel_folders", list)
    monkeypatch.setattr(binaries, "_system_folders", lambda: iter(()))
    return monkeypatch


def test_the_setting_comes_first(tmp_path: Path) -> None:
    folder = programs(tmp_path / "bin", "16.2 (Debian 16.2-1)")
    found = find_binaries(str(folder))
    assert found == Binaries(folder, "16.2", bundled=False)
    assert found.major == 16


def test_then_the_wheels_newest_then_the_systems(tmp_path: Path, nothing_found: pytest.MonkeyPatch) -> None:
    wheel = [programs(tmp_path / "a" / "bin", "16.14"), programs(tmp_path / "b" / "bin", "18.4")]
    system = [programs(tmp_path / "c" / "bin", "19.1"), programs(tmp_path / "d" / "bin", "9.6")]
    nothing_found.setattr(binaries, "_system_folders", lambda: iter(system))
    assert find_binaries() == Binaries(system[0], "19.1", bundled=False)
    nothing_found.setattr(binaries, "_wheel_folders", lambda: wheel)
    assert find_binaries() == Binaries(wheel[1], "18.4", bundled=True)


@pytest.mark.parametrize(
    ("version", "names", "reason"),
    [
        ("14.9", (), "older than 15"),
        ("18.4", ("postgres",), "there is no initdb"),
        ("?", (), "gives no version"),
    ],
)
def test_what_is_unusable_is_refused_with_the_reason(
    tmp_path: Path, version: str, names: tuple[str, ...], reason: str
) -> None:
    folder = programs(tmp_path / "bin", version, *names)
    with pytest.raises(EmbeddedError, match=f"PYSCRAI_PG_BIN.*{reason}"):
        find_binaries(str(folder))


def test_programs_for_another_machine_are_refused(tmp_path: Path) -> None:
    folder = programs(tmp_path / "bin", "18.4")
    (folder / "postgres").write_bytes(b"\x7fELF of another machine")
    with pytest.raises(EmbeddedError, match="does not start"):
        find_binaries(str(folder))


def test_without_any_it_says_what_to_do(tmp_path: Path, nothing_found: pytest.MonkeyPatch) -> None:
    old = programs(tmp_path / "bin", "12.1")
    nothing_found.setattr(binaries, "_system_folders", lambda: iter([old]))
    with pytest.raises(EmbeddedError) as caught:
        find_binaries()
    for words in ("PostgreSQL 12.1, older than 15", "pip install", "PYSCRAI_PG_BIN", "PYSCRAI_DATABASE_URL"):
        assert words in str(caught.value)


@pytest.mark.parametrize(("version", "major"), [("18.4", 18), ("19beta1", 19), ("16", 16)])
def test_the_major_version(version: str, major: int) -> None:
    assert major_of(version) == major


def test_a_copy_for_another_user_is_whole_readable_and_made_once(tmp_path: Path) -> None:
    site = tmp_path / "site"
    folder = programs(site / "package" / "install" / "bin", "18.4")
    prefix = folder.parent
    for name in ("lib/postgresql/a.so", "lib/libpq.a", "lib/postgresql/pgxs/x", "share/postgresql/b.sql"):
        (prefix / name).parent.mkdir(parents=True, exist_ok=True)
        (prefix / name).write_text(name)
        (prefix / name).chmod(0o600)
    (site / "package.libs").mkdir()
    (site / "package.libs" / "libpq.so").write_text("")
    place = tmp_path / "place"
    (place / "server-new-left").mkdir(parents=True)
    copied = for_another_user(Binaries(folder, "18.4", bundled=True), place)
    assert copied.postgres.read_bytes() == (folder / "postgres").read_bytes()
    home = copied.bin.parents[2]
    assert home.parent == place
    assert (home / "package.libs" / "libpq.so").exists()
    assert not list(home.rglob("*.a")) + list(home.rglob("pgxs"))
    assert (copied.bin.parent / "share" / "postgresql" / "b.sql").exists()
    for path in home.rglob("*"):
        wanted = 0o755 if path.is_dir() or path.parent.name == "bin" else 0o644
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path
    assert list(place.iterdir()) == [home]
    before = home.stat().st_ino
    assert for_another_user(Binaries(folder, "18.4", bundled=True), place) == copied
    assert home.stat().st_ino == before


def test_who_can_read_a_file(tmp_path: Path) -> None:
    assert anyone_can_read(Path("/bin/sh"))
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "file").write_text("")
    (closed / "file").chmod(0o644)
    assert not anyone_can_read(closed / "file")
