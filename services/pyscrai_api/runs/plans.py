"""The plan of a run, from the versions that it pinned. Each process keeps the plans that were used latest.

A plan changes only where somebody gives a run other models (`runs.seating`); the run's `plan_version` grows with it.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import Any
from uuid import UUID

from pyscrai.domain.choices import Choices
from pyscrai.domain.edits import edited
from pyscrai.domain.plan import Pinned, Plan
from pyscrai.domain.scenario import Scenario
from pyscrai.domain.work import EventType
from pyscrai_api.catalog import store as catalog
from pyscrai_api.database import Connection
from pyscrai_api.errors import NotFound

_ROW = "SELECT scenario_version_id, pins, choices, plan_version, default_model FROM runs WHERE id = $1"
KEPT = 2000


class Plans:
    """Run id → Plan. `default_model` is the installation's, for runs that start here without any choice of models."""

    def __init__(self, default_model: str) -> None:
        self._default_model = default_model
        self._kept: OrderedDict[UUID, tuple[int, Plan]] = OrderedDict()

    async def of(self, conn: Connection, run_id: UUID, version: int | None = None) -> Plan:
        """The plan of a run as of a version that was read; without one, any: for what no change of models touches.

        Raises NotFound.
        """
        found = self._kept.get(run_id)
        if found is not None and version in (None, found[0]):
            self._kept.move_to_end(run_id)
            return found[1]
        row = await conn.fetchrow(_ROW, run_id)
        if row is None:
            raise NotFound(f"there is no run {run_id}")
        pins = {phase: UUID(version) for phase, version in json.loads(row["pins"]).items()}
        choices = Choices.model_validate_json(row["choices"])
        plan = await self.build(conn, row["scenario_version_id"], pins, choices, row["default_model"])
        return self.keep(run_id, row["plan_version"], plan)

    def keep(self, run_id: UUID, version: int, plan: Plan) -> Plan:
        self._kept[run_id] = (version, plan)
        self._kept.move_to_end(run_id)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return plan

    def drop(self, run_id: UUID) -> None:
        """Forget a plan that may have been read in a transaction that was then undone."""
        self._kept.pop(run_id, None)

    def forget(self) -> None:
        self._kept.clear()

    async def build(
        self,
        conn: Connection,
        scenario: UUID,
        pins: dict[str, UUID],
        choices: Choices,
        default_model: str | None = None,
    ) -> Plan:
        """A plan from template versions: the scenario's, and one event type's per phase.

        `default_model` is what the run started with; None: it starts now, with the installation's.
        """
        pin = await catalog.by_version(conn, scenario)
        pinned = [Pinned(type="scenarios", name=pin.name, sha256=pin.sha256)]
        event_types: dict[str, EventType] = {}
        for phase, version in sorted(pins.items()):
            found = await catalog.by_version(conn, version)
            pinned.append(Pinned(type="event-types", name=found.name, sha256=found.sha256))
            event_types[phase] = EventType.model_validate_json(found.canonical)
        content: dict[str, Any] = json.loads(pin.canonical)
        return Plan(
            scenario=edited(Scenario.model_validate(content), choices.edits),
            choices=choices,
            event_types=event_types,
            pins=pinned,
            default_model=default_model or self._default_model,
        )
