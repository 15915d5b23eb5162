"""What `doctor` asks an API: whether it is ready, its database, its engines, and whether its data is sound."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from pyscrai.cli.charts import count, seconds
from pyscrai.cli.diagnosis import Line
from pyscrai.cli.options import Where
from pyscrai.cli.session import Session, session
from pyscrai.cli.talk import Talk
from pyscrai.client.api import Api
from pyscrai.client.errors import ApiError, ClientError
from pyscrai.domain.errors import PyScrAIError


async def api_lines(where: Where, talk: Talk, *, start: bool) -> AsyncIterator[Line]:
    """One line for each thing behind the API; without one, one is started for the moment, or only missed."""
    if not start and not await _runs(where):
        yield Line(name="API", state="warn", detail="none runs here", todo="Start one: pyscrai up")
        return
    began = time.monotonic()
    try:
        async with session(where, talk) as at:
            async for line in _look(at, time.monotonic() - began):
                yield line
    except PyScrAIError as error:
        yield Line(name="API", state="fail", detail=str(error), todo="Mend this first; `pyscrai run` needs it too.")


async def _runs(where: Where) -> bool:
    import os

    from anyio import to_thread

    from pyscrai.embedded.folder import data_home, private_folder
    from pyscrai.embedded.stack import running_api

    if where.api_url or os.environ.get("PYSCRAI_API_URL"):
        return True
    folder = private_folder(where.data) if where.data else data_home()
    return await to_thread.run_sync(running_api, folder) is not None


async def _look(at: Session, took: float) -> AsyncIterator[Line]:
    if at.place.own:
        detail = f"started for this look in {seconds(took)}; none runs here"
        yield Line(name="API", state="ok", detail=detail, todo="To keep one: pyscrai up")
    else:
        yield Line(name="API", state="ok", detail=f"answers at {at.place.api_url}")
    ready = await _ready(at.api)
    yield ready
    if ready.state == "fail":
        return
    if not at.place.own:
        yield await _engines(at.api)
    yield await _invariants(at.api)
    yield await _standing(at.api)


async def _ready(api: Api) -> Line:
    try:
        answer = await api.ready()
    except ApiError as error:
        todo = "Is the database up and migrated? A restart of the API migrates it."
        return Line(name="Database", state="fail", detail=error.detail, todo=todo)
    except ClientError as error:
        return Line(name="Database", state="fail", detail=str(error), todo="Start the API: pyscrai up")
    return Line(name="Database", state="ok", detail=f"answers, migrated to revision {answer.get('revision', '?')}")


async def _engines(api: Api) -> Line:
    engines = await api.engines(status="active")
    counts = {kind: sum(e.engine_type == kind and e.pool is None for e in engines) for kind in _kinds()}
    missing = [kind for kind, number in counts.items() if not number]
    detail = ", ".join(f"{number} {kind}" for kind, number in counts.items())
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


async def _standing(api: Api) -> Line:
    """Runs that wait for somebody to do something."""
    still = [run for status in ("paused", "blocked") for run in (await api.runs(status=status, limit=50)).items]
    if not still:
        return Line(name="Runs", state="ok", detail="none stands still")
    names = ", ".join(f"{run.scenario.name}/{run.label} ({run.status})" for run in still[:5])
    more = f" and {len(still) - 5} more" if len(still) > 5 else ""
    return Line(
        name="Runs", state="warn", detail=f"{names}{more}", todo="Look: pyscrai runs list; go on: pyscrai runs resume"
    )
