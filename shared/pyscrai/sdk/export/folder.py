"""Writing the folder: all of it or nothing."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from anyio import to_thread

from pyscrai.client.api import Api
from pyscrai.domain.errors import PyScrAIError
from pyscrai.sdk.export.costs import costs_csv, costs_json
from pyscrai.sdk.export.gather import gather
from pyscrai.sdk.export.markdown import pages
from pyscrai.sdk.export.tables import FORMAT, calls_jsonl, log_jsonl, messages_csv, metrics_csv, run_json


class FolderTaken(PyScrAIError):
    """There is something at that place already."""


def free_place(out: Path, *, force: bool) -> Path:
    """The absolute path to write to. Raises FolderTaken where something is there: with `force`, but for an export."""
    out = Path(os.path.abspath(out.expanduser()))
    if not out.exists() and not out.is_symlink():
        return out
    if not out.is_dir() or out.is_symlink():
        raise FolderTaken(f"{out} is there and is not a folder")
    if not any(out.iterdir()):
        return out
    if not _is_export(out):
        raise FolderTaken(f"{out} is not empty and not an earlier export; name another folder")
    if not force:
        raise FolderTaken(f"{out} has an earlier export; replace it with --force, or name another folder")
    return out


async def export_run(api: Api, run_id: str, out: Path, *, force: bool = False) -> Path:
    """Write a run into a folder: README.md, turns/*.md, documents/*, run.json, metrics.csv,
    messages.csv, costs.csv and costs.json, log.jsonl, llm_calls.jsonl.

    It appears when it is complete. Returns its absolute path. Raises FolderTaken, ClientError, OSError.
    """
    place = free_place(out, force=force)
    record = await gather(api, run_id)
    files: dict[str, str | bytes] = {
        **pages(record),
        **{record.file_of(document): content for document, content in record.documents.items()},
        "run.json": run_json(record),
        "metrics.csv": metrics_csv(record),
        "messages.csv": messages_csv(record),
        "costs.csv": costs_csv(record),
        "costs.json": costs_json(record),
        "log.jsonl": log_jsonl(record),
        "llm_calls.jsonl": calls_jsonl(record),
    }
    await to_thread.run_sync(write_folder, place, files)
    return place


def write_folder(out: Path, files: Mapping[str, str | bytes]) -> None:
    """Write these files (relative name → content) beside the place, then put the folder there in one move."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as scratch:
        made = Path(scratch) / "new"
        made.mkdir()
        for name, content in files.items():
            file = made / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        old = Path(scratch) / "old"
        if out.is_dir():
            out.rename(old)
        try:
            made.rename(out)
        except OSError:
            if old.is_dir() and not out.exists():
                old.rename(out)
            raise


def _is_export(folder: Path) -> bool:
    try:
        run = json.loads((folder / "run.json").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(run, dict) and run.get("format") == FORMAT
