"""Conversations (seed 000): runs, seen as instances of a scenario with their runtime choices.

A conversation starts as a run does: at once. It spends within its limit only, and where a model has no key its events
fail as every event does. What its agents were asked to be is kept word for word; the scenario is that of the version
which the run has pinned, as it was posted, whatever has become of the template since.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from pyscrai.contract.problems import FieldError
from pyscrai.contract.runs import NewRun, Trouble
from pyscrai.contract.scenarios import (
    AgentConfig,
    Conversation,
    ConversationStatus,
    HydratedConversation,
    NewConversation,
    RuntimeMeta,
)
from pyscrai.contract.wire import Page
from pyscrai.domain.canonical import escape, normalise
from pyscrai.domain.choices import Choices, SeatChoice
from pyscrai.domain.scenario import slug
from pyscrai.formats.findings import did_you_mean
from pyscrai_api.catalog import store as catalog
from pyscrai_api.catalog.store import Pin
from pyscrai_api.database import Connection
from pyscrai_api.errors import Invalid, NotFound, field_error, moved
from pyscrai_api.idempotency import Answer, Key
from pyscrai_api.runs.entries import read_log
from pyscrai_api.runs.service import Runs
from pyscrai_api.vocabulary import conversation_status

VOICES = ("narrator", "analyst")
_SELECT = """
SELECT r.id, r.serial, r.title, r.status, r.outcome, r.reason, r.choices, r.runtime_meta, r.created_at,
  coalesce(e.at, r.created_at) AS updated_at, coalesce(t.alias, t.name) AS scenario, v.version, v.source, v.canonical
FROM runs r JOIN templates t ON t.id = r.template_id JOIN template_versions v ON v.id = r.scenario_version_id
LEFT JOIN entries e ON e.run_id = r.id AND e.seq = r.last_seq
"""
_ONE = _SELECT + "WHERE r.id = $1"
_PAGE = (
    _SELECT
    + """
WHERE r.owner = $1 AND ($2::uuid IS NULL OR r.template_id = $2)
  AND ($3::text IS NULL OR ($3 = 'completed') = (r.status IN ('completed', 'failed', 'cancelled')))
  AND ($4::bigint IS NULL OR r.id < (SELECT id FROM runs WHERE serial = $4))
ORDER BY r.id DESC LIMIT $5
"""
)
_SOURCE = "SELECT source FROM template_versions WHERE id = $1"
_KEEP = "UPDATE runs SET runtime_meta = $2 WHERE id = $1"


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A conversation that may be created. `warnings`: what of its agents' choices nothing uses; `places`: where in the
    request the run's choices come from, by JSON Pointers.
    """

    run: NewRun
    meta: dict[str, Any]
    warnings: list[FieldError]
    places: dict[str, str]


async def prepare(conn: Connection, wanted: NewConversation, owner: str) -> Prepared:
    """Look up the scenario and match the agents with its seats.

    Raises Invalid (no scenarioId, an unknown agent, a choice that cannot be) and NotFound (unknown scenario).
    """
    if not wanted.scenario_id:
        message = "scenarioId is required"
        raise Invalid(message, errors=[FieldError(pointer="/scenarioId", message=message)])
    pin = await catalog.resolve(conn, "scenarios", wanted.scenario_id, owner=owner)
    seats, warnings = _seats(wanted.agents, await _seats_by_id(conn, pin))
    title, description = normalise(wanted.title), normalise(wanted.description)
    custom = normalise(wanted.custom, "/custom")
    return Prepared(
        run=NewRun(
            scenario=str(pin.template_id),
            version=pin.version,
            choices=Choices(seats=seats, title=title, description=description, custom=custom),
        ),
        meta={"agents": normalise([agent.model_dump(mode="json") for agent in wanted.agents], "/agents")},
        warnings=warnings,
        places={f"/choices/seats/{escape(seat)}": f"/agents/{place}/config" for place, seat in enumerate(seats)},
    )


async def create(runs: Runs, prepared: Prepared, owner: str, key: Key | None) -> Answer:
    """Start the run; the answer is the conversation (201). Raises what starting a run raises."""

    async def told(conn: Connection, run_id: UUID) -> Answer:
        await conn.execute(_KEEP, run_id, json.dumps(prepared.meta))
        made = _conversation(await conn.fetchrow(_ONE, run_id))
        made.warnings.extend(prepared.warnings)
        return Answer(status=201, body=made.model_dump_json(by_alias=True))

    try:
        return await runs.start(prepared.run, owner, key, told)
    except Invalid as error:
        raise moved(error, prepared.places) from None


async def hydrated(conn: Connection, run_id: UUID, after: int, limit: int) -> HydratedConversation:
    """The pinned scenario, the runtime choices, and the events after a number. Raises NotFound."""
    row = await conn.fetchrow(_ONE, run_id)
    if row is None:
        raise NotFound(f"there is no conversation {run_id}")
    events = await read_log(conn, run_id, after, limit)
    return HydratedConversation(
        conversation=row["serial"],
        run_id=str(row["id"]),
        status=conversation_status(row["status"]),
        run_status=row["status"],
        outcome=row["outcome"],
        reason=None if row["reason"] is None else Trouble.model_validate_json(row["reason"]),
        scenario=json.loads(row["source"] or row["canonical"]),
        runtime_meta=_meta(row),
        events=events,
        next=str(events[-1].seq) if len(events) == limit else None,
    )


async def page(
    conn: Connection, owner: str, *, scenario: str | None, status: ConversationStatus | None, after: int | None,
    limit: int,
) -> Page[Conversation]:  # fmt: skip
    """The owner's conversations, newest first. Raises NotFound for an unknown scenario."""
    template = None
    if scenario is not None:
        template = (await catalog.resolve(conn, "scenarios", scenario, owner=owner)).template_id
    rows = await conn.fetch(_PAGE, owner, template, status, after, limit + 1)
    found = [_conversation(row) for row in rows[:limit]]
    return Page(items=found, next=str(found[-1].conversation) if len(rows) > limit else None)


async def _seats_by_id(conn: Connection, pin: Pin) -> dict[str, str]:
    """What clients may call a seat → the seat: its name, and the agent's id in the document as it was posted."""
    order: list[str] = json.loads(pin.canonical)["seat_order"]
    source = await conn.fetchval(_SOURCE, pin.version_id)
    theirs = _agent_ids(json.loads(source)) if source else []
    return dict(zip(theirs, order, strict=False)) | {seat: seat for seat in [*order, *VOICES]}


def _agent_ids(config: Any) -> list[str]:
    agents = config.get("agents") if isinstance(config, dict) else None
    if not isinstance(agents, list):
        return []
    return [str(agent.get("agentId", "")) if isinstance(agent, dict) else "" for agent in agents]


def _seats(agents: list[AgentConfig], known: dict[str, str]) -> tuple[dict[str, SeatChoice], list[FieldError]]:
    """The choices by seat, and what of them nothing uses. Raises Invalid with every mistake."""
    errors: list[FieldError] = []
    warnings: list[FieldError] = []
    chosen: dict[str, SeatChoice] = {}
    for place, agent in enumerate(agents):
        at = f"/agents/{place}"
        seat = known.get(agent.id) or known.get(slug(agent.id))
        if seat is None:
            hint = did_you_mean(agent.id, known)
            there = ", ".join(name for name in known if name)
            errors.append(FieldError(pointer=f"{at}/id", message=f"no such agent; there are {there}", hint=hint))
        elif seat in chosen:
            errors.append(FieldError(pointer=f"{at}/id", message="this agent is named twice"))
        else:
            choice = _choice(agent, at, errors)
            chosen[seat] = choice
            warnings += [_unused(f"{at}/config/{key}", key) for key in choice.model_extra or {}]
    if errors:
        raise Invalid("the conversation cannot start", errors=errors)
    return chosen, warnings


def _choice(agent: AgentConfig, at: str, errors: list[FieldError]) -> SeatChoice:
    try:
        return SeatChoice.model_validate(normalise(agent.config, f"{at}/config"))
    except ValidationError as error:
        errors += [field_error([*at.strip("/").split("/"), "config", *item["loc"]], item) for item in error.errors()]
        return SeatChoice()


def _unused(pointer: str, key: str) -> FieldError:
    hint = did_you_mean(key, SeatChoice.model_fields)
    return FieldError(pointer=pointer, message="nothing here uses this; it is kept", hint=hint)


def _conversation(row: Any) -> Conversation:
    meta = _meta(row)
    return Conversation(
        conversation=row["serial"],
        run_id=str(row["id"]),
        scenario_id=row["scenario"],
        scenario_version=row["version"],
        title=meta.title,
        description=meta.description,
        status=conversation_status(row["status"]),
        run_status=row["status"],
        outcome=row["outcome"],
        metadata=meta,
        created_at=row["created_at"].isoformat(),
        updated_at=row["updated_at"].isoformat(),
    )


def _meta(row: Any) -> RuntimeMeta:
    choices = Choices.model_validate_json(row["choices"])
    if row["runtime_meta"] is not None:
        agents = [AgentConfig.model_validate(agent) for agent in json.loads(row["runtime_meta"])["agents"]]
    else:
        agents = [
            AgentConfig(id=seat, config=choice.model_dump(mode="json", exclude_none=True))
            for seat, choice in choices.seats.items()
        ]
    return RuntimeMeta(title=row["title"], description=choices.description, agents=agents, custom=choices.custom)
