"""Starting a run: pin the versions, check what can be checked before money is spent, open the first step."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from pyscrai.contract.problems import FieldError
from pyscrai.contract.runs import NewRun
from pyscrai.domain.canonical import escape
from pyscrai.domain.choices import Choices, Price
from pyscrai.domain.digest import first_link
from pyscrai.domain.edits import edited
from pyscrai.domain.edits import problems as edit_problems
from pyscrai.domain.errors import PolicyError
from pyscrai.domain.flow import phase_of
from pyscrai.domain.model_names import UnknownModel, parse
from pyscrai.domain.narrate import READ_OF_PHASE
from pyscrai.domain.overrides import refused
from pyscrai.domain.plan import Plan, needed_event_types
from pyscrai.domain.play import begin
from pyscrai.domain.policies import POLICIES
from pyscrai.domain.scenario import Scenario
from pyscrai_api.catalog import store as catalog
from pyscrai_api.database import Connection
from pyscrai_api.errors import Invalid, NotFound, Unprocessable
from pyscrai_api.ids import new_id
from pyscrai_api.money.prices import how_to_declare, price_of
from pyscrai_api.queue.entrance import Entrance
from pyscrai_api.queue.lanes import lane_of_run
from pyscrai_api.runs.commit import Committed, write
from pyscrai_api.runs.locked import LockedRun, lock
from pyscrai_api.runs.places import Places, lock_owner
from pyscrai_api.runs.plans import Plans

_NUMBER = "UPDATE templates SET next_run = next_run + 1 WHERE id = $1 RETURNING next_run - 1"
_INSERT = """
INSERT INTO runs (id, template_id, scenario_version_id, number, title, owner, visibility, created_by, status, choices,
  pins, seed, pool, labels, turns, digest, limit_usd, default_model, seats, group_name, replay_of, cached, reason,
  started_at)
VALUES ($1, $2, $3, $4, $5, $6, 'private', $6, CASE WHEN $20::jsonb IS NULL THEN 'running' ELSE 'pending' END, $7, $8,
  $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20::jsonb, CASE WHEN $20::jsonb IS NULL THEN now() END)
"""


@dataclass(frozen=True, kw_only=True)
class Opening:
    """A run that may begin: everything about it has been checked. `replay_of`: the run whose answers it takes."""

    pin: catalog.Pin
    pins: Mapping[str, UUID]
    plan: Plan
    owner: str
    pool: str | None
    limit: Decimal | None
    replay_of: UUID | None = None


async def start_run(
    conn: Connection,
    plans: Plans,
    places: Places,
    wanted: NewRun,
    *,
    owner: str,
    default_limit: Decimal | None,
    prices: Mapping[str, Price],
    entrance: Entrance | None = None,
) -> tuple[LockedRun, Committed | None]:
    """Create a run and open its first step, inside the caller's transaction; the caller saves the run.

    Where as many of the owner's runs play as may at once, it is pending, and has no step yet.

    Raises NotFound, Invalid (with JSON Pointers), or Unprocessable (`unpriced_model`, `limit_required`); with
    `entrance`, QueueFull where a lane that it needs is full.
    """
    pin = await catalog.resolve(conn, "scenarios", wanted.scenario, wanted.version, owner=owner)
    choices = wanted.choices
    scenario = as_played(Scenario.model_validate(json.loads(pin.canonical)), choices)
    check(scenario, choices)
    check_untaken(choices)
    pins = await pin_event_types(conn, needed_event_types(scenario), owner)
    plan = await plans.build(conn, pin.version_id, pins, choices)
    check_results(plan)
    limit = default_limit if choices.limit is None else None if choices.limit == "none" else choices.limit
    check_money(plan, limit, prices)
    if entrance is not None:
        await entrance.check(conn, {lane_of_run(kind.lane, wanted.pool) for kind in plan.event_types.values()})
    opening = Opening(pin=pin, pins=pins, plan=plan, owner=owner, pool=wanted.pool, limit=limit)
    return await open_run(conn, plans, places, opening)


async def open_run(
    conn: Connection, plans: Plans, places: Places, opening: Opening
) -> tuple[LockedRun, Committed | None]:
    """Write a run down and open its first step, if it may play now.

    Raises Unprocessable where its policy finds no beginning.
    """
    try:
        first = begin(opening.plan)
    except PolicyError as error:
        raise Unprocessable("policy_error", f"the scenario cannot begin: {error}") from None
    run = await create(conn, plans, places, opening)
    return run, await write(run, opening.plan, first, places.fairness) if run.running else None


async def create(conn: Connection, plans: Plans, places: Places, opening: Opening) -> LockedRun:
    """Write a run down that has no entries yet: running, or pending where it has to wait for a place."""
    pin, plan, choices, owner = opening.pin, opening.plan, opening.plan.choices, opening.owner
    await lock_owner(conn, owner)
    # Its age is its id: made under the lock, so that of two that wait the first one is the older.
    run_id = new_id()
    full = await places.full(conn, owner, run_id)
    number = await conn.fetchval(_NUMBER, pin.template_id)
    await conn.execute(
        *(_INSERT, run_id, pin.template_id, pin.version_id, number, choices.title or pin.title, owner),
        *(choices.model_dump_json(), json.dumps({phase: str(version) for phase, version in opening.pins.items()})),
        *(plan.seed, opening.pool, json.dumps(choices.labels), plan.turns, first_link(plan), opening.limit),
        *(plan.default_model, json.dumps(plan.seats), choices.group),
        *(opening.replay_of, choices.cache and opening.replay_of is None),
        None if full is None else full.model_dump_json(exclude_none=True),
    )
    run = await lock(conn, run_id)
    assert run is not None
    plans.keep(run_id, run.plan_version, plan)
    return run


async def pin_event_types(conn: Connection, needed: Mapping[str, str], owner: str) -> dict[str, UUID]:
    """The versions of event types that `needed` (phase → name) means now. Raises Invalid for an unknown one."""
    pins: dict[str, UUID] = {}
    for phase, wanted in needed.items():
        name, _, version = wanted.partition("@")
        try:
            pin = await catalog.resolve(conn, "event-types", name, int(version) if version else None, owner=owner)
        except (NotFound, ValueError):
            step = phase.removeprefix("flow.")
            place = f"/events/{phase}" if step == phase else f"/flow/{escape(step)}/event"
            what = FieldError(pointer=place, message=f"there is no event type {wanted} in the catalog")
            raise Invalid(f"the scenario needs the event type {wanted}", errors=[what]) from None
        pins[phase] = pin.version_id
    return pins


def as_played(scenario: Scenario, choices: Choices, pointer: str = "/choices") -> Scenario:
    """The scenario with the edits of these choices. Raises Invalid, with JSON Pointers."""
    errors = [
        FieldError(pointer=f"{pointer}/edits{at}", message=why) for at, why in edit_problems(scenario, choices.edits)
    ]
    if errors:
        raise Invalid("the run cannot start with these edits", errors=errors)
    return edited(scenario, choices.edits)


def check(scenario: Scenario, choices: Choices, pointer: str = "/choices") -> None:
    """Whether the scenario can be played like this. Raises Invalid, with JSON Pointers."""
    errors = []
    if scenario.schedule.policy not in POLICIES:
        known = ", ".join(sorted(POLICIES))
        errors.append(FieldError(pointer="/schedule/policy", message=f"there is no such policy; there are {known}"))
    for who in choices.seats:
        if who not in scenario.seats and who not in ("narrator", "analyst"):
            seats = ", ".join(scenario.seats)
            errors.append(FieldError(pointer=f"{pointer}/seats/{who}", message=f"no such seat; there are {seats}"))
    for who in ("narrator", "analyst"):
        chosen = choices.seats.get(who)
        if chosen is not None and (chosen.human or chosen.approve):
            errors.append(FieldError(pointer=f"{pointer}/seats/{who}", message="people sit at seats only"))
    errors += _people(choices, pointer)
    errors += [FieldError(pointer=f"{pointer}{place}", message=why) for place, why in refused(scenario, choices)]
    if errors:
        raise Invalid("the run cannot start", errors=errors)


def _people(choices: Choices, pointer: str) -> Iterator[FieldError]:
    """What cannot be meant of people at seats."""
    for seat, choice in choices.seats.items():
        place = f"{pointer}/seats/{escape(seat)}"
        if choice.on_deadline is not None and choice.deadline is None:
            yield FieldError(pointer=f"{place}/on_deadline", message="there is no deadline; give one in seconds")
        if choice.human and choice.approve:
            yield FieldError(pointer=f"{place}/approve", message="a person plays here: there is nothing to approve")


def check_untaken(choices: Choices) -> None:
    """`taken` says what happened to a run that had begun. Raises Invalid."""
    errors = [
        FieldError(pointer=f"/choices/seats/{escape(seat)}/taken", message="say `human` for a run that begins")
        for seat, choice in choices.seats.items()
        if choice.taken is not None
    ]
    if errors:
        raise Invalid("the run cannot start", errors=errors)


def check_results(plan: Plan) -> None:
    """An event type has to promise what its phase reads of a result; else the run would stand still later.

    Raises Invalid, with JSON Pointers.
    """
    errors = []
    for phase, event_type in plan.event_types.items():
        promised = event_type.result_schema.get("required")
        missing = sorted(READ_OF_PHASE.get(phase, frozenset()) - set(promised if isinstance(promised, list) else ()))
        if missing:
            message = f"results of {event_type.name} have to require {', '.join(missing)} in this phase"
            hint = f'"required": [{", ".join(missing)}] in its result_schema'
            errors.append(FieldError(pointer=f"/events/{phase}", message=message, hint=hint))
    if errors:
        raise Invalid("the run cannot start", errors=errors)


def check_money(plan: Plan, limit: Decimal | None, prices: Mapping[str, Price], pointer: str = "/choices") -> None:
    """Every model must have a price, and one that costs money needs a limit. `pointer`: where models are chosen.

    Raises Invalid for a name that says no model, Unprocessable (`unpriced_model`, `limit_required`).
    """
    costly = [model for model in _models(plan) if not _price(model, plan, prices, pointer).free]
    if costly and limit is None:
        raise Unprocessable("limit_required", f"{', '.join(costly)} costs money: give the run a limit in US dollars")


def _models(plan: Plan) -> list[str]:
    # A person costs nothing; only a model that may play for them has to have a price.
    asked = [seat for seat in plan.seats if not plan.by_person(seat) or plan.choice(seat).on_deadline == "model"]
    speakers: list[str] = [*asked]
    flow = {phase_of(step) for step in plan.scenario.flow.values()}
    if "world_update" in {*plan.event_types, *flow}:
        speakers.append("narrator")
    if plan.scenario.metrics or plan.scenario.checks or "tool" in plan.event_types or "report" in flow:
        speakers.append("analyst")
    return sorted({plan.seating(who).model for who in speakers})


def _price(model: str, plan: Plan, prices: Mapping[str, Price], pointer: str) -> Price:
    try:
        parse(model)
    except UnknownModel as error:
        raise Invalid(str(error), errors=[FieldError(pointer=f"{pointer}/model", message=str(error))]) from None
    price = price_of(model, plan.choices.prices, prices)
    if price is None:
        raise Unprocessable("unpriced_model", how_to_declare(model), model=model)
    return price
