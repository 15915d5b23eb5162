"""A run as a folder, or one of its files on stdout."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pyscrai.cli.session import Session
from pyscrai.cli.talk import Talk


def free_folder(out: Path | None, force: bool) -> Path | None:
    """Where to write, looked at before anything is played. Raises BadParameter where it may not be written to."""
    if out is None:
        return None
    from pyscrai.sdk.export.folder import FolderTaken, free_place

    try:
        return free_place(out, force=force)
    except FolderTaken as error:
        raise click.BadParameter(str(error), param_hint="'--out'") from None


async def export(at: Session, run_id: str, folder: Path, talk: Talk) -> Path:
    """Write a run to a place that has been found free, and say so. Raises as `export_run` does."""
    from pyscrai.sdk.export.folder import export_run

    written = await export_run(at.api, run_id, folder, force=True)
    talk.say(f"Written to {written}", "green")
    return written


async def print_one(at: Session, run_id: str, kind: str) -> None:
    """One of the files of an export on stdout: json, csv (metrics), messages, md (turns and letters), log, calls,
    costs."""
    from pyscrai.sdk.export.costs import costs_csv, costs_json
    from pyscrai.sdk.export.gather import gather
    from pyscrai.sdk.export.markdown import whole
    from pyscrai.sdk.export.tables import calls_jsonl, log_jsonl, messages_csv, metrics_csv, run_json

    writers = {"json": run_json, "csv": metrics_csv, "md": whole, "log": log_jsonl, "calls": calls_jsonl}
    writers |= {"messages": messages_csv, "costs": costs_csv, "costs-json": costs_json}
    sys.stdout.write(writers[kind](await gather(at.api, run_id)))
