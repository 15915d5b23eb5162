"""--out: a run as a folder."""

from __future__ import annotations

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
