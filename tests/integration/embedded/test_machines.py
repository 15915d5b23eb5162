"""The embedded database on unfriendly machines: full disks, users without rights, closed homes."""

from __future__ import annotations

import os
import pwd
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyscrai.embedded.account import anyone_can_read, server_account
from pyscrai.embedded.binaries import find_binaries
from pyscrai.embedded.cluster import clusters_home
from pyscrai.embedded.database import remove_database
from pyscrai.embedded.errors import EmbeddedError
from pyscrai.embedded.folder import Folder

SHARED = Path(__file__).parents[3] / "shared"

USE = """
import os, sys
from pathlib import Path
from pyscrai.embedded.database import embedded_database, remove_database, stop_database
from pyscrai.embedded.errors import EmbeddedError
os.umask(0o077)
data = Path(sys.argv[1])
try:
    for _ in range(2):
        with embedded_database(data) as dsn:
            print(os.geteuid(), dsn.split("@")[0].split(":")[1])
        stop_database(data)
    remove_database(data)
except EmbeddedError as error:
    sys.exit(f"EmbeddedError: {error}")
"""


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of 30 MB at the place where this user's clusters go; yields the data folder."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    with tempfile.TemporaryDirectory(prefix="pyscrai-test-") as name:
        data = Path(name)
        home = clusters_home(Folder(data), server_account())
        home.parent.mkdir(mode=0o755, exist_ok=True)
        home.mkdir(mode=0o755)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=30m,mode=755", "tmpfs", home]).returncode != 0:
            home.rmdir()
            pytest.skip("mounting is not allowed here")
        try:
            yield data
        finally:
            subprocess.run(["umount", home], check=True)
            remove_database(data)


def test_a_full_disk_is_one_clear_error_and_leaves_nothing_torn(small_disk: Path) -> None:
    from pyscrai.embedded.database import embedded_database

    with pytest.raises(EmbeddedError, match="The disk is full") as caught, embedded_database(small_disk):
        pass
    assert "PYSCRAI_DATA" in str(caught.value)
    assert "Traceback" not in str(caught.value)
    assert list(clusters_home(Folder(small_disk), server_account()).glob("pg*/new-*")) == []


def test_a_limit_on_file_sizes_is_one_clear_error(data: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (12_000_000, 12_000_000))

    done = subprocess.run([sys.executable, "-c", USE, str(data)], capture_output=True, text=True, preexec_fn=limit)
    assert done.returncode == 1
    assert done.stderr.startswith("EmbeddedError: ")
    assert "a limit on file sizes" in done.stderr
    assert "Traceback" not in done.stderr


def other_python() -> str:
    """An interpreter that every user may start, and that finds our sources."""
    for name in (sys.executable, "/usr/bin/python3"):
        path = Path(name)
        if path.exists() and anyone_can_read(path):
            version = subprocess.run(
                [path, "-c", "import sys; print(sys.version_info >= (3, 11))"], capture_output=True, text=True
            )
            if version.stdout.strip() == "True":
                return name
    pytest.skip("no interpreter that another user may start")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_ordinary_user_with_a_closed_home_runs_the_server_as_himself() -> None:
    python = other_python()
    nobody = pwd.getpwnam("nobody")
    with tempfile.TemporaryDirectory(prefix="pyscrai-test-") as name:
        root = Path(name)
        home = root / "home"
        root.chmod(0o755)
        home.mkdir(mode=0o700)
        # His own copy of sources and programs, in his closed home, as a checkout with a venv would be.
        wheel = find_binaries().bin.parents[1]
        shutil.copytree(SHARED / "pyscrai" / "embedded", home / "site" / "pyscrai" / "embedded")
        for part in ("domain", "machine"):
            shutil.copytree(SHARED / "pyscrai" / part, home / "site" / "pyscrai" / part)
        shutil.copytree(wheel, home / "site" / wheel.name)
        libraries = wheel.with_name(f"{wheel.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, home / "site" / libraries.name)
        for path in (home, *home.rglob("*")):
            os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)
        done = subprocess.run(
            [python, "-c", USE, str(home / "data")],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(home / "site"), "HOME": str(home)},
            cwd=home,
            user=nobody.pw_uid,
            group=nobody.pw_gid,
            extra_groups=[],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        first, second = done.stdout.splitlines()
        assert first == second
        assert first.startswith(f"{nobody.pw_uid} ")
        assert home.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root lends the server another account")
def test_root_in_a_closed_checkout_changes_no_mode(data: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="pyscrai-test-") as name:
        checkout = Path(name)
        wheel = find_binaries().bin.parents[1]
        shutil.copytree(SHARED / "pyscrai" / "embedded", checkout / "pyscrai" / "embedded")
        for part in ("domain", "machine"):
            shutil.copytree(SHARED / "pyscrai" / part, checkout / "pyscrai" / part)
        shutil.copytree(wheel, checkout / wheel.name)
        libraries = wheel.with_name(f"{wheel.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, checkout / libraries.name)
        checkout.chmod(0o700)
        before = {
            path: path.stat().st_mode for path in (checkout, *checkout.rglob("*")) if "__pycache__" not in path.parts
        }
        inside = checkout / "data"
        done = subprocess.run(
            [sys.executable, "-c", USE, str(inside)],
            env={**os.environ, "PYTHONPATH": str(checkout)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert len(done.stdout.splitlines()) == 2
        assert {path: path.stat().st_mode for path in before} == before
