"""What `doctor` asks an API: whether it is ready, its database, its engines, and whether its data is sound."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from pyscrai.cli.charts import count, seconds
from pyscrai.cli.diagnosis import Line, State
from pyscrai.cli.options import Where
from pyscrai.cli.session import Session, session
from pyscrai.cli.talk import Talk
from pyscrai.client.api import Api
from pyscrai.client.errors import ApiError, ClientError, Forbidden, NotFound
from pyscrai.contract.providers import ProviderState
from pyscrai.domain.errors import PyScrAIError
from pyscrai.sdk.result import full_name


async def api_lines(where: Where, talk: Talk, *, start: bool) -> AsyncIterator[Line]:
    """One line for each thing behind the API; without one, one is started for the moment, or only missed."""
    if not start and not await _runs(where):
        detail = "none runs here; `pyscrai run` starts one for as long as it plays"
        yield Line(name="API", state="ok", detail=detail, todo="To keep one: pyscrai up")
        return
    began = time.monotonic()
    try:
        async with session(where, talk) as at:
            async for line in _look(at, time.monotonic() - began):
                yield line
    except PyScrAIError as error:
        yield Line(name="API", state="fail", detail=str(error), todo=_what_is_set(where))


async def _runs(where: Where) -> bool:
    import os

    from anyio import to_thread

    from pyscrai.embedded.stack import running_api
    from pyscrai.machine.files import data_home, private_folder

    if where.api_url or os.environ.get("PYSCRAI_API_URL"):
        return True
    folder = private_folder(where.data) if where.data else data_home()
    return await to_thread.run_sync(running_api, folder) is not None


def _what_is_set(where: Where) -> str:
    """The setting that leads to what cannot be reached, and how to do without it."""
    import os

    if where.api_url or os.environ.get("PYSCRAI_API_URL"):
        return "Correct PYSCRAI_API_URL (or --api-url), or leave it out: then an API is started here."
    if where.database_url or os.environ.get("PYSCRAI_DATABASE_URL"):
        return (
            "Start that database, or correct PYSCRAI_DATABASE_URL (or --database-url); left out, PyScrAI brings a "
            "database of its own."
        )
    if os.environ.get("PYSCRAI_PG_BIN"):
        return "Correct PYSCRAI_PG_BIN, or unset it: then the PostgreSQL that comes with PyScrAI is used."
    return "Nothing can be played before this is mended; the message and the log that it names say more."


async def _look(at: Session, took: float) -> AsyncIterator[Line]:
    ready = await _ready(at.api)
    if at.place.own:
        detail = f"started for this look in {seconds(took)}; none runs here"
        yield Line(name="API", state="ok", detail=detail, todo="To keep one: pyscrai up")
    elif ready.name == "API":
        yield ready
        return
    else:
        yield Line(name="API", state="ok", detail=f"answers at {at.place.api_url}")
    yield ready
    if ready.state == "fail":
        return
    if not at.place.own:
        yield await _engines(at.api)
    yield await _invariants(at.api)
    if (line := await _providers(at.api)) is not None:
        yield line
    yield await _standing(at.api)
    async for line in _health(at):
        yield line


async def _ready(api: Api) -> Line:
    try:
        answer = await api.ready()
    except ApiError as error:
        todo = (
            "The API runs, but not its database. Start the database again: the API finds it by itself, and nothing "
            "that was played is lost. A database that was never used is made ready when the API starts."
        )
        return Line(name="Database", state="fail", detail=error.detail, todo=todo)
    except ClientError as error:
        todo = (
            "Start one there (pyscrai up), or correct PYSCRAI_API_URL; left out, PyScrAI starts an API for as long as "
            "it needs one."
        )
        return Line(name="API", state="fail", detail=str(error), todo=todo)
    return Line(name="Database", state="ok", detail=f"answers, migrated to revision {answer.get('revision', '?')}")


async def _engines(api: Api) -> Line:
    engines = [e for e in await api.engines() if e.engine_type in _kinds() and e.pool is None]
    counts = {kind: sum(e.engine_type == kind and e.status == "active" for e in engines) for kind in _kinds()}
    missing = [kind for kind, number in counts.items() if not number]
    detail = ", ".join(f"{number} {kind}" for kind, number in counts.items())
    paused = [e for e in engines if e.status == "paused"]
    if paused:
        detail += f"; paused: {', '.join(e.engine_type for e in paused)}"
    resting = [e for e in paused if e.engine_type in missing]
    if resting:
        todo = f"Runs will wait for {', '.join(missing)}: pyscrai engines resume {resting[0].id}"
        return Line(name="Engines", state="warn", detail=detail, todo=todo)
    if missing:
        todo = f"Runs will wait for {', '.join(missing)}: pyscrai engine {missing[0]}"
        return Line(name="Engines", state="warn", detail=detail, todo=todo)
    return Line(name="Engines", state="ok", detail=detail)


def _kinds() -> tuple[str, ...]:
    return ("actor", "narrator", "analyst")


async def _invariants(api: Api) -> Line:
    found = await api.invariants()
    broken = {name: rows for name, rows in found.items() if rows} if isinstance(found, dict) else {}
    if broken:
        todo = "This is a defect of PyScrAI: keep the database and report what `pyscrai doctor --json` says."
        detail = "; ".join(f"{name}: {count(len(rows), 'row')}" for name, rows in broken.items())
        return Line(name="Invariants", state="fail", detail=detail, todo=todo)
    return Line(name="Invariants", state="ok", detail=f"all {len(found)} hold")


async def _providers(api: Api) -> Line | None:
    """Model providers that cannot be asked now; nothing where none is asked and none has limits."""
    found = await api.providers()
    if not found:
        return None
    left_alone = [one for one in found if one.blocked_for]
    if left_alone:
        detail = "; ".join(
            f"{_of_key(one)} for {seconds(one.blocked_for)} more: {one.blocked_by}" for one in left_alone
        )
        todo = "Runs wait for that, and go on by themselves. Who is asked how much: pyscrai providers"
        return Line(name="Providers", state="warn", detail=f"asked to be left alone: {detail}", todo=todo)
    names = ", ".join(f"{_of_key(one)} ({count(one.open_calls, 'call')} open)" for one in found)
    return Line(name="Providers", state="ok", detail=f"can be asked: {names}")


async def _health(at: Session) -> AsyncIterator[Line]:
    """Queue and database, as the API sees them; only for the holder of the installation's token."""
    try:
        report = await at.api.operating.report()
    except (Forbidden, NotFound):  # an API of before has no such thing
        return
    states: dict[str, State] = {"ok": "ok", "warn": "warn", "bad": "fail"}
    for one in report.lines:
        if at.place.own and one.name in ("Engines", "Loops"):
            continue  # nothing but the API was started, and a moment ago
        name = f"{one.section.capitalize()}: {one.name[0].lower()}{one.name[1:]}"
        yield Line(name=name, state=states[one.state], detail=one.detail, todo=one.todo)
    if report.hidden:
        yield Line(name="Database: hidden", state="ok", detail=f"this role does not see {'; '.join(report.hidden)}")


def _of_key(one: ProviderState) -> str:
    return one.name if one.key_of is None else f"{one.name} with the key of {one.key_of}"


async def _standing(api: Api) -> Line:
    """Runs that wait for somebody to do something."""
    still = [run for status in ("paused", "blocked") for run in (await api.runs(status=status, limit=50)).items]
    if not still:
        return Line(name="Runs", state="ok", detail="none stands still")
    names = ", ".join(f"{run.scenario.name}/{run.label} ({run.status})" for run in still[:5])
    more = f" and {len(still) - 5} more" if len(still) > 5 else ""
    first = full_name(still[0])
    todo = f"Why: pyscrai runs show {first}; go on: pyscrai runs resume {first}; end it: pyscrai runs cancel {first}"
    return Line(name="Runs", state="warn", detail=f"waiting for somebody: {names}{more}", todo=todo)
