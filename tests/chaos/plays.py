"""Whole runs of the example scenarios: left alone, paused, cancelled, branched; first undisturbed, then under fire."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.chaos.courier import Answer, Courier
from tests.chaos.memory import Begun, Memory, Piece, Role, Violation
from tests.chaos.run_verdict import LABEL

from pyscrai.contract.runs import TERMINAL
from pyscrai.formats.load import load

SCENARIOS = Path(__file__).parent.parent.parent / "templates" / "scenarios"
NAMES = (
    *("first-read", "negotiation", "dialogue", "vision", "crisis-cabinet", "prior-authorization"),
    "winter-ferry",
)
ROLES: tuple[tuple[Role, float], ...] = (("left alone", 0.4), ("paused", 0.2), ("cancelled", 0.15), ("branched", 0.25))
PRICES = {"rehearsal": {"input": "1", "output": "2"}}
"""So that money is reserved and settled for every call."""
GROUP = "chaos"
BRANCH_TURN = 1
LOOK_EVERY = 0.4
MORE = Decimal("0.50")


@dataclass(frozen=True, kw_only=True)
class PlaysPlan:
    """`at_once`: runs that are under way together; `names` of scenarios, each under `seeds` seeds."""

    seed: int
    at_once: int = 3
    names: tuple[str, ...] = NAMES
    seeds: int = 2


class Plays:
    """Starts runs and follows them to their end. Everything that was asked for is in `memory`."""

    def __init__(self, plan: PlaysPlan, courier: Courier, memory: Memory) -> None:
        self._plan = plan
        self._courier = courier
        self._memory = memory
        self._chance = random.Random(f"plays:{plan.seed}")
        self._numbers = itertools.count()
        self._spent: dict[Piece, Decimal] = {}
        self.pieces = [Piece(scenario=name, seed=seed) for seed in range(plan.seeds) for name in plan.names]

    async def prepare(self) -> None:
        """Post the scenarios, and play each piece and its branch undisturbed: the world must be calm. Raises
        RuntimeError where one of them does not complete."""
        for name in self._plan.names:
            scenario = load(SCENARIOS / name).scenario
            assert scenario is not None
            posted = await self._courier.insist("POST", "/templates/scenarios", scenario.content(), key=f"post {name}")
            if not posted.ok and posted.status != 409:
                raise RuntimeError(f"{name} was not accepted: {posted}")
        await self._courier.insist("PUT", f"/limits/group/{GROUP}", {"limit": "1000"})
        for group in _threes(self.pieces):
            await asyncio.gather(*(self._reference(piece) for piece in group))

    async def _reference(self, piece: Piece) -> None:
        key = f"reference/{piece.scenario}/{piece.seed}"
        run = await self._completed(await self._courier.insist("POST", "/runs", _start(piece, key), key=key))
        self._spent[piece] = Decimal(run["spent"])
        branched = replace(piece, branch_turn=BRANCH_TURN)
        wanted = _branch(run, f"{key}/branch")
        branch = await self._courier.insist("POST", f"/runs/{run['id']}/branch", wanted, key=f"{key}/branch")
        self._memory.references[piece] = run["id"]
        self._memory.references[branched] = (await self._completed(branch))["id"]

    async def _completed(self, started: Answer) -> dict[str, Any]:
        if not started.ok:
            raise RuntimeError(f"a calm run did not start: {started}")
        while True:
            run: dict[str, Any] = (await self._courier.insist("GET", f"/runs/{started.body['id']}")).body
            if run["status"] in ("completed", "failed", "cancelled", "blocked", "paused"):
                break
            await asyncio.sleep(0.1)
        if run["status"] != "completed":
            raise RuntimeError(f"a calm run ended {run['status']}: {run['reason']}")
        return run

    async def run(self, stop: asyncio.Event) -> None:
        """Play until `stop`; ends when everything that was begun is over."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._plan.at_once):
                tasks.create_task(self._play_on(stop))

    async def _play_on(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            piece = self._chance.choice(self.pieces)
            role = self._chance.choices([role for role, _ in ROLES], [share for _, share in ROLES])[0]
            await self._play(piece, role)

    async def _play(self, piece: Piece, role: Role) -> None:
        key = f"run/{self._plan.seed}/{next(self._numbers)}"
        tight = self._chance.random() < 0.3
        wanted = _start(piece, key, limit=self._spent[piece] * Decimal("1.5") if tight else None)
        begun = Begun(key=key, piece=piece, role=role)
        run = await self._begin(begun, "/runs", wanted)
        if run is not None and (await self._follow(begun))["status"] == "completed" and role == "branched":
            branch = Begun(key=f"{key}/branch", piece=replace(piece, branch_turn=BRANCH_TURN), role="branch")
            if await self._begin(branch, f"/runs/{run['id']}/branch", _branch(run, branch.key)) is not None:
                await self._follow(branch)

    async def _begin(self, begun: Begun, path: str, wanted: dict[str, Any]) -> dict[str, Any] | None:
        self._memory.begun[begun.key] = begun
        answer = await self._courier.insist("POST", path, wanted, key=begun.key)
        if not answer.ok:
            self._refused(begun, "start", answer)
            return None
        self._memory.begin(begun, answer.body["id"])
        if self._chance.random() < 0.05:
            self._memory.doubled += 1
            self._memory.begin(begun, (await self._courier.insist("POST", path, wanted, key=begun.key)).body["id"])
        run: dict[str, Any] = answer.body
        return run

    async def _follow(self, begun: Begun) -> dict[str, Any]:
        """Look after a run until it is over: do what its role says, and let it go on whenever it stands still."""
        looks = self._chance.randint(0, 4)
        while True:
            run: dict[str, Any] = (await self._courier.insist("GET", f"/runs/{begun.run}")).body
            if run["status"] in TERMINAL:
                return run
            if run["status"] in ("paused", "blocked"):
                await self._resume(begun, run)
            elif looks == 0 and begun.role == "paused":
                await self._courier.insist("POST", f"/runs/{begun.run}/pause")
            elif looks == 0 and begun.role == "cancelled":
                await self._cancel(begun)
            looks -= 1
            await asyncio.sleep(LOOK_EVERY * self._chance.uniform(0.5, 1.5))

    async def _resume(self, begun: Begun, run: dict[str, Any]) -> None:
        """Whoever paused it: a late copy of a pause may be the reason, a dead letter, or too little money."""
        broke = (run["reason"] or {}).get("code") == "out_of_money"
        wanted = {"limit": f"{Decimal(run['limit']) + MORE:f}"} if broke else {}
        answer = await self._courier.insist("POST", f"/runs/{begun.run}/resume", wanted)
        if not answer.ok and answer.status != 409:
            self._refused(begun, "resume", answer)

    async def _cancel(self, begun: Begun) -> None:
        begun.cancelling = True
        answer = await self._courier.insist("POST", f"/runs/{begun.run}/cancel")
        if answer.ok:
            begun.cancel = "yes"
        elif answer.status == 409:
            begun.cancel = "no"
        else:
            self._refused(begun, "cancel", answer)

    def _refused(self, begun: Begun, what: str, answer: Answer) -> None:
        found = f"{answer.status} {str(answer.body)[:300]}"
        self._memory.told.append(Violation(rule="accepted", run=begun.run or begun.key, expected=what, found=found))


def _threes(pieces: Sequence[Piece]) -> list[Sequence[Piece]]:
    return [pieces[at : at + 3] for at in range(0, len(pieces), 3)]


def _start(piece: Piece, key: str, limit: Decimal | None = None) -> dict[str, Any]:
    choices = {
        "model": "rehearsal",
        "seed": piece.seed,
        "prices": PRICES,
        "limit": "5" if limit is None else f"{limit:f}",
        "group": GROUP,
        "max_losses": 1000,
        "labels": {LABEL: key},
    }
    return {"scenario": piece.scenario, "choices": choices}


def _branch(run: dict[str, Any], key: str) -> dict[str, Any]:
    """A branch in which the first seat wants something else."""
    changes = {"edits": {run["seats"][0]: {"goals": ["Be somewhere else before the hour is over"]}}}
    return {"at": {"turn": BRANCH_TURN}, "changes": {**changes, "limit": "5", "labels": {LABEL: key}}}
