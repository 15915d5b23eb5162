"""A database cluster on disk: where it lives, how it is made, its password."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyscrai.embedded.account import Account
from pyscrai.embedded.binaries import Binaries
from pyscrai.embedded.errors import EmbeddedError
from pyscrai.embedded.folder import SYSTEM_HOME, Folder
from pyscrai.embedded.leash import die_with_parent
from pyscrai.embedded.server_env import server_environment
from pyscrai.machine.files import write_private

USER = "pyscrai"
DATABASE = "pyscrai"
OWNER_FILE = "data-folder"
STRAY_SECONDS = 10.0


@dataclass(frozen=True)
class Cluster:
    """One major version's cluster of one data folder, and who runs it."""

    place: Path
    binaries: Binaries
    account: Account | None
    durable: bool

    @property
    def data(self) -> Path:
        return self.place / "data"

    @property
    def pid_file(self) -> Path:
        return self.data / "postmaster.pid"

    @property
    def exists(self) -> bool:
        return (self.data / "PG_VERSION").is_file()


def clusters_home(folder: Folder, account: Account | None) -> Path:
    """Where the clusters of a data folder live. Another account may be unable to enter the data folder itself."""
    return folder.path if account is None else SYSTEM_HOME / folder.fingerprint


def own_folder(path: Path, account: Account | None, mode: int) -> Path:
    """Create a folder with this mode and owner; one that exists is left as it is."""
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        return path
    path.chmod(mode)
    if account is not None:
        shutil.chown(path, account.uid, account.gid)
    return path


def place_cluster(folder: Folder, binaries: Binaries, account: Account | None) -> Path:
    """The folder of this major version's cluster, created where missing, with its owner able to reach it."""
    if account is not None:
        own_folder(SYSTEM_HOME, None, 0o755)
        home = own_folder(SYSTEM_HOME / folder.fingerprint, None, 0o755)
        # For people who come across this place: whose it is.
        (home / OWNER_FILE).write_text(f"{folder.path}\n", "utf-8")
    return own_folder(clusters_home(folder, account) / f"pg{binaries.major}", account, 0o700)


def other_majors(folder: Folder, binaries: Binaries, account: Account | None) -> list[Path]:
    """Clusters of this data folder that another major version made."""
    found = clusters_home(folder, account).glob("pg*/data/PG_VERSION")
    return sorted(path.parent.parent for path in found if path.parent.parent.name != f"pg{binaries.major}")


def create(cluster: Cluster, password: str, say: Callable[[str], None]) -> None:
    """Make the cluster and its database, in a folder of its own that gets its name only when it is whole.

    A start that was killed half-way leaves only such a folder, which the next one removes.
    Raises EmbeddedError.
    """
    for torn in cluster.place.glob("new-*"):
        say(f"Removing an unfinished database in {torn}")
        discard(torn)
    if cluster.exists:
        return
    if cluster.data.exists():
        raise EmbeddedError(
            f"{cluster.data} is there, but it is not a PostgreSQL data folder. Move it away and start again."
        )
    say(f"Creating a database in {cluster.place}")
    new = own_folder(cluster.place / f"new-{secrets.token_hex(4)}", cluster.account, 0o700)
    try:
        _initialise(cluster, new, password)
        (new / "data").rename(cluster.data)
        if cluster.durable:
            sync_folder(cluster.place)
    finally:
        discard(new)


def discard(path: Path) -> None:
    """Delete a folder in which the orphan of a killed initdb may still be tidying up, for a moment."""
    deadline = time.monotonic() + STRAY_SECONDS
    while path.exists():
        try:
            shutil.rmtree(path)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTEMPTY) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def sync_folder(path: Path) -> None:
    """Make the names in a folder survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _initialise(cluster: Cluster, new: Path, password: str) -> None:
    password_file = new / "password"
    write_private(password_file, password)
    if cluster.account is not None:
        shutil.chown(password_file, cluster.account.uid, cluster.account.gid)
    data = new / "data"
    options: list[str | Path] = [
        "-D",
        data,
        "-U",
        USER,
        "-A",
        "scram-sha-256",
        f"--pwfile={password_file}",
        "-E",
        "UTF8",
    ]
    options += ["--no-locale", "--no-instructions"]
    if not cluster.durable:
        options.append("-N")
    _run_program(cluster, [cluster.binaries.initdb, *options], "", "The database could not be created")
    _single(cluster, data, f"CREATE DATABASE {DATABASE}")


def set_password(cluster: Cluster, password: str) -> None:
    """Give the user of a stopped cluster another password, which must be hexadecimal digits."""
    int(password, 16)
    _single(cluster, cluster.data, f"ALTER ROLE {USER} PASSWORD '{password}'")


def _single(cluster: Cluster, data: Path, statement: str) -> None:
    """Run a statement without a server. It goes in by stdin, where nobody can see it."""
    options: list[str | Path] = ["--single", "-D", data, "-c", "exit_on_error=on", "-c", "log_checkpoints=off"]
    options += ["-c", "log_min_error_statement=panic"]
    if not cluster.durable:
        options += ["-c", "fsync=off"]
    _run_program(
        cluster, [cluster.binaries.postgres, *options, "postgres"], f"{statement}\n", "The database could not be set up"
    )


def _run_program(cluster: Cluster, argv: Sequence[str | Path], given: str, failure: str) -> None:
    try:
        done = subprocess.run(
            argv,
            input=given,
            text=True,
            errors="replace",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=server_environment(),
            preexec_fn=die_with_parent("SIGKILL"),
            **(cluster.account.popen() if cluster.account else {}),
        )
    except OSError as error:
        raise EmbeddedError(f"{failure}: {argv[0]} does not start ({error.strerror}).") from error
    if done.returncode != 0:
        raise EmbeddedError(f"{failure} in {cluster.place}. {explain(done.stdout, cluster.place)}")


DISK_FULL = ("No space left on device", "Disk quota exceeded", "File too large", "File size limit exceeded")


def explain(output: str, place: Path) -> str:
    """What a program of PostgreSQL complained about, and what a person can do."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if any(word in line for word in ("FATAL", "PANIC", "ERROR", "error:"))]
    said = "\n".join(f"  {line}" for line in (telling or lines)[-3:])
    if any(words in output for words in DISK_FULL):
        return f"{_no_room(place)}\n{said}"
    if "could not create shared memory" in output or "could not resize shared memory" in output:
        return f"The machine gives no shared memory: enlarge /dev/shm or set PYSCRAI_DATABASE_URL.\n{said}"
    return f"PostgreSQL said:\n{said}"


def explain_os_error(error: OSError, folder: Folder) -> str:
    """The same for what the operating system refused to us."""
    place = Path(error.filename2 or error.filename or folder.path)
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"The database could not be set up. {_no_room(folder.path)}\n  {error}"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"The database could not be set up: {place} is not ours to use.\n  {error}"
    return f"The embedded database failed: {error}. See {folder.logs / 'supervisor.log'}."


def _no_room(place: Path) -> str:
    free = shutil.disk_usage(place).free // 2**20
    return (
        f"The disk is full, or a limit on file sizes or a quota was met ({free} MB left at {place}). "
        "Free some space, or choose another place with PYSCRAI_DATA."
    )
