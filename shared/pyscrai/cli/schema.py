"""`pyscrai schema`: the published JSON Schemas."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from pyscrai.cli.options import common, pass_talk
from pyscrai.cli.talk import OK, Talk

DOCUMENTS = ("scenario", "event-type", "agent", "entry")
EPILOG = """\b
Examples:
  pyscrai schema scenario > scenario.schema.json
  pyscrai schema event-type --out .vscode/event-type.schema.json

\b
With this first line, an editor completes and checks a scenario:
  # yaml-language-server: $schema=scenario.schema.json
"""


@click.command(epilog=EPILOG)
@click.argument("document", type=click.Choice(DOCUMENTS))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write it to a file.")
@common
@pass_talk
def schema(talk: Talk, /, document: str, out: Path | None) -> int:
    """The JSON Schema of a scenario, an event type, an agent, or an entry of a run's log. It is JSON in any case."""
    text = schema_text(document)
    if out is None:
        sys.stdout.write(text)
        return OK
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, "utf-8")
    talk.say(f"Written to {out}", "green")
    return OK


def schema_text(document: str) -> str:
    """The schema as a file has it. Raises KeyError for a document that has none."""
    from pyscrai.contract.schemas import PUBLISHED

    return json.dumps(PUBLISHED[document](), ensure_ascii=False, indent=2) + "\n"
