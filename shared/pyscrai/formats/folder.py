"""A scenario's folder read into memory, so that every reader is a pure function of names and bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DOCUMENTS = (".yaml", ".yml", ".json")
READ = (*DOCUMENTS, ".md")
FOLDERS = ("", "actors", "agents", "background", "templates")
NEXT_DOOR = "../agents"
MAX_FILES = 500
MAX_BYTES = 20_000_000


@dataclass(frozen=True)
class Folder:
    """`files` by their path inside the folder; `root` is how the folder is shown to people."""

    root: str
    name: str
    files: Mapping[str, bytes]

    def shown(self, file: str) -> str:
        """A file as findings name it."""
        return f"{self.root.rstrip('/')}/{file}" if self.root not in ("", ".") else file

    def document(self, stem: str) -> str | None:
        """The file `stem.yaml` (or .yml, .json); None where there is none."""
        return next((stem + ending for ending in DOCUMENTS if stem + ending in self.files), None)

    def documents(self, folder: str = "") -> list[str]:
        """The YAML and JSON files directly in a subfolder ("": the folder itself), by name."""
        return self.inside(folder, DOCUMENTS)

    def inside(self, folder: str, endings: tuple[str, ...]) -> list[str]:
        prefix = f"{folder}/" if folder else ""
        return sorted(
            name
            for name in self.files
            if name.startswith(prefix) and "/" not in name[len(prefix) :] and name.lower().endswith(endings)
        )


def read_folder(path: Path) -> Folder:
    """Read the documents of a scenario's folder. Raises OSError; ValueError where it holds too much to be one."""
    files: dict[str, bytes] = {}
    size = 0
    for sub in FOLDERS:
        here = path / sub if sub else path
        if not here.is_dir():
            continue
        for file in sorted(here.iterdir()):
            if file.suffix.lower() not in READ or not file.is_file():
                continue
            size += file.stat().st_size
            if len(files) >= MAX_FILES or size > MAX_BYTES:
                raise ValueError(f"more than {MAX_FILES} files or {MAX_BYTES:,} bytes: is this a scenario's folder?")
            files[f"{sub}/{file.name}" if sub else file.name] = file.read_bytes()
    return Folder(str(path), _name(path), files)


def _name(path: Path) -> str:
    """The folder's own name; its parent's where it is a `definition/` folder."""
    full = path.resolve()
    return full.parent.name if full.name == "definition" else full.name


def beside(file: Path) -> Folder | None:
    """What lies beside a file, where it may refer to others: its folder, and `agents/` next to it. None: too much."""
    try:
        folder = read_folder(file.parent)
        files = {f"{NEXT_DOOR}/{name}": data for name, data in _next_door(file).items()}
    except (OSError, ValueError):
        return None
    own = {name: data for name, data in folder.files.items() if name != file.name}
    return Folder(folder.root, folder.name, {**files, **own})


def _next_door(file: Path) -> Mapping[str, bytes]:
    """Templates are often sorted into `agents/` and `scenarios/`, side by side."""
    agents = file.resolve().parent.parent / "agents"
    if file.resolve().parent.name != "scenarios" or not agents.is_dir():
        return {}
    return read_folder(agents).files
