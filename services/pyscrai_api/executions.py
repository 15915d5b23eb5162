"""Playing a scenario by its name (seed 002): its latest run by this user stands for it."""

from __future__ import annotations

from uuid import UUID

from pyscrai.contract.problems import FieldError
from pyscrai.contract.runs import NewRun
from pyscrai.contract.scenarios import Execute, Execution, ExecutionStatus
from pyscrai.domain.canonical import escape
from pyscrai.domain.choices import Choices, SeatChoice
from pyscrai_api.catalog import store as catalog
from pyscrai_api.database import Connection
from pyscrai_api.errors import Invalid, NotFound, moved
from pyscrai_api.idempotency import Answer, Key
from pyscrai_api.runs import reading
from pyscrai_api.runs.service import Runs

_LATEST = "SELECT id FROM runs WHERE template_id = $1 AND owner = $2 ORDER BY number DESC LIMIT 1"


async def execute(runs: Runs, scenario: str, wanted: Execute, owner: str, key: Key | None) -> Answer:
    """Start a run of the scenario; the answer is its id and status (202). Raises what starting a run raises."""
    run = NewRun(scenario=scenario, pool=wanted.pool, choices=_choices(wanted))

    async def told(conn: Connection, run_id: UUID) -> Answer:
        made = await reading.read_run(conn, run_id)
        return Answer(status=202, body=Execution(run_id=made.id, status=made.status).model_dump_json())

    try:
        return await runs.start(run, owner, key, told)
    except Invalid as error:
        raise moved(error, _places(wanted)) from None


def _places(wanted: Execute) -> dict[str, str]:
    """Where in the request the run's choices come from, by JSON Pointers."""
    seats = wanted.models if isinstance(wanted.models, dict) else {}
    named = {f"/choices/seats/{escape(seat)}/model": f"/models/{escape(seat)}" for seat in seats}
    unknown = {f"/choices/seats/{escape(seat)}": f"/models/{escape(seat)}" for seat in seats}
    return {**unknown, **named, "/choices/model": "/models"}


def _choices(wanted: Execute) -> Choices:
    everyone = wanted.models if isinstance(wanted.models, str) else None
    seats = wanted.models if isinstance(wanted.models, dict) else {}
    empty = [seat for seat, model in seats.items() if not model.strip()]
    if empty:
        errors = [FieldError(pointer=f"/models/{escape(seat)}", message="the model's name is empty") for seat in empty]
        raise Invalid("a model has a name", errors=errors)
    return Choices(
        model=everyone,
        seats={seat: SeatChoice(model=model) for seat, model in seats.items()},
        turns=wanted.end_turn,
        limit=wanted.credit_limit,
        seed=wanted.seed,
    )


async def latest_run(conn: Connection, scenario: str, owner: str) -> UUID:
    """The latest run of a scenario by this owner. Raises NotFound for an unknown scenario, or one never played."""
    pin = await catalog.resolve(conn, "scenarios", scenario, owner=owner)
    found: UUID | None = await conn.fetchval(_LATEST, pin.template_id, owner)
    if found is None:
        raise NotFound(f"the scenario {pin.name!r} has not been played yet: POST /scenarios/{pin.name}/execute")
    return found


async def status(conn: Connection, run_id: UUID) -> ExecutionStatus:
    """How a run stands, in what a client of executions asks for. Raises NotFound."""
    run = await reading.read_run(conn, run_id)
    return ExecutionStatus(
        run_id=run.id,
        status=run.status,
        scenario=run.scenario.name,
        run=run.label,
        turn=run.turn,
        turns=run.turns,
        phase=run.phase,
        outcome=run.outcome,
        reason=run.reason,
        total_cost=run.spent,
        credit_limit=run.limit,
        last_seq=run.last_seq,
        created_at=run.created_at,
        ended_at=run.ended_at,
    )
