"""Loading what an installation cannot run without: the built-in event types. `python -m pyscrai_api.catalog.seed`

A start adds what the database has never had, so that an old and a new release may run side by side without taking
turns; run by hand, the loader makes the files' content the latest version.
"""

from __future__ import annotations

import asyncio
import os
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import asyncpg
import yaml

from pyscrai.domain.canonical import canonical, normalise, sha256
from pyscrai.domain.errors import InvalidValue
from pyscrai_api import database
from pyscrai_api.catalog.store import BUILT_IN
from pyscrai_api.errors import Invalid, StartupError
from pyscrai_api.settings import Settings

CHECKOUT = Path(__file__).parents[3] / "seed"
HAD = """
SELECT t.name, v.sha256, v.version = t.latest AS latest
FROM templates t JOIN template_versions v ON v.template_id = t.id
WHERE t.owner = $1 AND t.type = 'event-types' AND t.archived_at IS NULL
"""


def folder(setting: Path | None) -> Path:
    """Where the seeds are: the setting, else the checkout, else the installed package. Raises StartupError."""
    places = [setting] if setting else [CHECKOUT, Path(str(files("pyscrai"))) / "_data" / "seed"]
    for place in places:
        if (place / "event-types").is_dir():
            return place
    raise StartupError(f"no seed is found: {places[0]} has no folder event-types (PYSCRAI_SEED)")


def documents(place: Path) -> dict[Path, dict[str, Any]]:
    """The event types in the folder, by file, in order of name. Raises StartupError naming the file."""
    found = {}
    for path in sorted((place / "event-types").glob("*.yaml")):
        try:
            document = normalise(yaml.load(path.read_text("utf-8"), Loader=_Loader))
        except (yaml.YAMLError, InvalidValue, UnicodeDecodeError, OSError) as error:
            raise StartupError(f"the seed {path} cannot be read: {error}") from None
        if not isinstance(document, dict) or not isinstance(document.get("name"), str):
            raise StartupError(f"the seed {path} is not an event type: it has no name")
        found[path] = document
    return found


_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


async def load(dsn: str, place: Path, *, insist: bool = False) -> int:
    """Bring the built-in event types in; returns how many were new or changed. Quick where nothing is to do.

    Any number of processes may do this together. `insist` makes the files' content the latest again, also where the
    database had it before. Raises StartupError naming the file that is not valid.
    """
    wanted = documents(place)
    if not await _missing(dsn, wanted, insist):
        return 0
    from sqlalchemy import text

    from pyscrai_api.catalog.templates import Templates

    engine = database.engine(dsn, statement_cache=0, size=2)
    templates = Templates(engine)
    try:
        async with templates.session() as session:
            await session.exec(text("SELECT pg_advisory_xact_lock(:key)").bindparams(key=database.MIGRATION_LOCK))  # type: ignore[call-overload]
            # Another process may have loaded them while this one waited.
            missing = await _missing(dsn, wanted, insist)
            for path in missing:
                await _put(templates, session, path, wanted[path])
    finally:
        await engine.dispose()
    return len(missing)


async def _missing(dsn: str, wanted: dict[Path, dict[str, Any]], insist: bool) -> list[Path]:
    connection = await database.first_connection(dsn)
    try:
        rows = await connection.fetch(HAD, BUILT_IN)
    finally:
        await connection.close()
    had = {(row["name"], row["sha256"]) for row in rows if row["latest"] or not insist}
    return [path for path, document in wanted.items() if (document["name"], sha256(canonical(document))) not in had]


async def _put(templates: Any, session: Any, path: Path, document: dict[str, Any]) -> None:
    from pyscrai_api.catalog.templates import draft

    try:
        new = draft("event-types", document)
    except Invalid as error:
        what = "; ".join(f"{item.pointer}: {item.message}" for item in error.errors)
        raise StartupError(f"the seed {path} is not valid: {what}") from None
    await templates.put(session, "event-types", new, owner=BUILT_IN, visibility="shared")


def main() -> int:
    """Migrate and load, as the settings in the environment say."""
    settings = Settings.read(os.environ)
    try:
        changed = asyncio.run(_main(settings))
    except (StartupError, asyncpg.PostgresError) as error:
        sys.stderr.write(f"seed: {error}\n")
        return 1
    sys.stdout.write(f"event types: {changed} new or changed\n")
    return 0


async def _main(settings: Settings) -> int:
    await database.migrate(settings.database_url)
    return await load(settings.database_url, folder(settings.seed), insist=True)


if __name__ == "__main__":
    sys.exit(main())
