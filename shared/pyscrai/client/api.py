"""The API's routes as typed calls: catalog, runs, events, engines, health. A method per route, no state of its own."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from decimal import Decimal
from functools import partial
from typing import Any, Literal, TypeVar, cast
from urllib.parse import quote

from pydantic import BaseModel

from pyscrai.client.courses import CourseCalls
from pyscrai.client.http import Http
from pyscrai.client.operating import OperatingCalls
from pyscrai.client.patience import PATIENCE, Told, patiently
from pyscrai.client.seats import SeatCalls
from pyscrai.contract.batches import Batch, BatchResults, NewBatch, ResumeBatch
from pyscrai.contract.calls import CachedAnswers, ModelCall
from pyscrai.contract.costs import CostNow, Costs, ModelPriceInfo, Part, RunCosts, RunPart
from pyscrai.contract.engines import EngineInstance
from pyscrai.contract.estimates import Estimate, NewEstimate
from pyscrai.contract.events import Event, NewEvent
from pyscrai.contract.limits import LimitScope, SetLimit, WiderLimit
from pyscrai.contract.people import AddedUser, Me, StoredKey, User
from pyscrai.contract.providers import ProviderState
from pyscrai.contract.runs import ChangeRun, Delivered, NewReplay, NewRun, Resume, Run, Snapshot
from pyscrai.contract.scenarios import (
    Conversation,
    HydratedConversation,
    NewConversation,
    PostedScenario,
    ScenarioTemplate,
)
from pyscrai.contract.templates import NewTemplate, Template, TemplateType, Visibility
from pyscrai.contract.wire import Page

M = TypeVar("M", bound=BaseModel)
Limit = Decimal | Literal["none"] | None
PAGE = 100
COST = "cost"
"""What the stream calls a message about costs."""


class Api:
    """Typed calls over one `Http`, which it owns. Every method raises ApiError or ApiUnreachable."""

    def __init__(self, http: Http) -> None:
        self.http = http
        self.seats = SeatCalls(http)
        self.courses = CourseCalls(http)
        self.operating = OperatingCalls(http)

    async def __aenter__(self) -> Api:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.close()

    # ── catalog ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def template(self, kind: TemplateType, name: str, version: int | None = None) -> Template:
        """One version of a template, by id or name; the latest where `version` is None."""
        return _one(
            Template, await self.http.request("GET", _path("templates", kind, name), params={"version": version})
        )

    async def templates(self, kind: TemplateType, *, after: str | None = None, limit: int = PAGE) -> Page[Template]:
        """A page of the catalog, without the documents themselves."""
        answer = await self.http.request("GET", _path("templates", kind), params={"after": after, "limit": limit})
        return _page(Template, answer)

    async def create_template(
        self,
        kind: TemplateType,
        content: dict[str, Any],
        *,
        name: str | None = None,
        visibility: Visibility = "private",
    ) -> Template:
        """Version 1 of a new template. Raises Conflict where the name is taken, InvalidRequest with JSON Pointers."""
        body = NewTemplate(name=name, content=content, visibility=visibility)
        return _one(Template, await self.http.request("POST", _path("templates", kind), json=body, headers=_once()))

    async def update_template(
        self, kind: TemplateType, name: str, content: dict[str, Any], *, visibility: Visibility | None = None
    ) -> Template:
        """A new version of a template that exists, unless the latest says the same. None leaves the visibility."""
        body = {"content": content, **({"visibility": visibility} if visibility else {})}
        return _one(Template, await self.http.request("PUT", _path("templates", kind, name), json=body))

    async def archive_template(self, kind: TemplateType, name: str) -> None:
        """Take a name out of lists and look-ups; runs that use its versions go on. Raises NotFound."""
        await self.http.request("DELETE", _path("templates", kind, name))

    # ── scenarios as their own clients post them, conversations ──────────────────────────────────────────────────────

    async def create_scenario(self, posted: PostedScenario) -> ScenarioTemplate:
        """POST /scenarios: a document in any dialect. Raises Conflict, InvalidRequest with JSON Pointers."""
        return _one(ScenarioTemplate, await self.http.request("POST", "/scenarios", json=posted, headers=_once()))

    async def change_scenario(self, scenario_id: str, posted: PostedScenario) -> ScenarioTemplate:
        """A new version of it, or another name; what is not said stays as it is."""
        return _one(ScenarioTemplate, await self.http.request("PUT", _path("scenarios", scenario_id), json=posted))

    async def create_conversation(self, new: NewConversation) -> Conversation:
        """A run of a scenario, as a conversation; it begins at once. Raises InvalidRequest, NotFound."""
        return _one(Conversation, await self.http.request("POST", "/conversations", json=new, headers=_once()))

    async def conversation(self, number: int, *, after: int = 0) -> HydratedConversation:
        """The hydrated snapshot: the scenario as it was pinned, the runtime choices, the events after a number."""
        answer = await self.http.request("GET", _path("conversations", str(number)), params={"after": after})
        return _one(HydratedConversation, answer)

    # ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def create_run(self, new: NewRun, *, patience: float = PATIENCE) -> Run:
        """Create a run; it starts at once. Raises InvalidRequest, NotFound, LimitRequired, UnpricedModel; QueueFull
        where a lane that it needs has no room for `patience` seconds.
        """
        ask = partial(self.http.request, "POST", "/runs", json=new, headers=_once())
        return _one(Run, await patiently(ask, patience))

    async def run(self, run_id: str) -> Run:
        return _one(Run, await self.http.request("GET", _path("runs", run_id)))

    async def runs(
        self, *, scenario: str | None = None, status: str | None = None, after: str | None = None, limit: int = PAGE
    ) -> Page[Run]:
        """A page of runs, the newest first."""
        params = {"scenario": scenario, "status": status, "after": after, "limit": limit}
        return _page(Run, await self.http.request("GET", "/runs", params=params))

    async def snapshot(self, run_id: str) -> Snapshot:
        """The scenario as pinned, the choices and the state."""
        return _one(Snapshot, await self.http.request("GET", _path("runs", run_id, "snapshot")))

    async def log(self, run_id: str, *, after: int = 0, limit: int = 1000) -> Page[Delivered]:
        """A page of the log after a number; `next` is the number to go on from, None at the end."""
        params = {"after": after, "limit": limit}
        return _page(Delivered, await self.http.request("GET", _path("runs", run_id, "log"), params=params))

    async def calls(self, run_id: str, *, after: str | None = None) -> Page[ModelCall]:
        """A page of the run's model calls by place; `next` is the place to go on from, None at the end."""
        return _page(ModelCall, await self.http.request("GET", _path("runs", run_id, "calls"), params={"after": after}))

    async def document(self, run_id: str, document: str) -> bytes:
        """A document that a tool of this run has returned, by the id that the log has of it. Raises NotFound."""
        return await self.http.fetch("GET", _path("runs", run_id, "documents", document))

    async def stream(self, run_id: str, *, after: int = 0) -> AsyncGenerator[Delivered | CostNow, None]:
        """Entries after a number as they come, until the server closes the stream (see `sdk.follow` for the rest);
        between them, while calls are paid for, what the run has cost."""
        events = self.http.stream_sse(_path("runs", run_id, "stream"), params={"after": after})
        # A generator, whatever its declared type: left early, it has to close its connection at once.
        async with aclosing(cast(AsyncGenerator[tuple[str, str, str], None], events)):
            async for _id, kind, data in events:
                yield (CostNow if kind == COST else Delivered).model_validate_json(data)

    async def replay(self, run_id: str, wanted: NewReplay) -> Run:
        """Start a run that takes its answers from the recording of this one. Raises InvalidRequest, NotFound."""
        return _one(Run, await self.http.request("POST", _path("runs", run_id, "replay"), json=wanted, headers=_once()))

    async def cache(self) -> CachedAnswers:
        """What the caller's cache of answers holds."""
        return _one(CachedAnswers, await self.http.request("GET", "/cache"))

    async def clear_cache(self) -> None:
        await self.http.request("DELETE", "/cache")

    async def pause(self, run_id: str) -> Run:
        return _one(Run, await self.http.request("POST", _path("runs", run_id, "pause")))

    async def cancel(self, run_id: str) -> Run:
        return _one(Run, await self.http.request("POST", _path("runs", run_id, "cancel")))

    async def resume(self, run_id: str, wanted: Resume) -> Run:
        """Go on, with another limit or other models where they are given. Raises what `create_run` raises."""
        return _one(Run, await self.http.request("POST", _path("runs", run_id, "resume"), json=wanted))

    async def change_run(self, run_id: str, change: ChangeRun) -> Run:
        return _one(Run, await self.http.request("PATCH", _path("runs", run_id), json=change))

    # ── sweeps ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def create_batch(self, new: NewBatch) -> Batch:
        """Post a sweep, or find the same one. Raises InvalidRequest, Conflict where another one has that name, and what
        `create_run` raises."""
        # What was left out stays open: the API has its own mind about it for runs of a batch.
        body = new.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return _one(Batch, await self.http.request("POST", "/batches", json=body, headers=_once()))

    async def batch(self, name: str) -> Batch:
        """How far a sweep is, by id or name. Raises NotFound."""
        return _one(Batch, await self.http.request("GET", _path("batches", name)))

    async def batches(self, *, after: str | None = None, limit: int = PAGE) -> Page[Batch]:
        """A page of sweeps, the newest first."""
        return _page(Batch, await self.http.request("GET", "/batches", params={"after": after, "limit": limit}))

    async def batch_results(self, name: str) -> BatchResults:
        """Every run of a sweep, and each variation summed up."""
        return _one(BatchResults, await self.http.request("GET", _path("batches", name, "results")))

    async def pause_batch(self, name: str) -> Batch:
        return _one(Batch, await self.http.request("POST", _path("batches", name, "pause")))

    async def cancel_batch(self, name: str) -> Batch:
        return _one(Batch, await self.http.request("POST", _path("batches", name, "cancel")))

    async def resume_batch(self, name: str, wanted: ResumeBatch) -> Batch:
        """Go on, with another budget or on another pool where they are given. Raises Conflict where it is cancelled."""
        return _one(Batch, await self.http.request("POST", _path("batches", name, "resume"), json=wanted))

    # ── money ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def run_costs(self, run_id: str, *, by: Sequence[RunPart] = ()) -> RunCosts:
        """What a run has cost by seat, phase, model and turn, or by those that are named."""
        params = {"by": list(by)} if by else None
        return _one(RunCosts, await self.http.request("GET", _path("runs", run_id, "costs"), params=params))

    async def costs(self, *, by: Part = "day", since: str | None = None, limit: int = 200) -> Costs:
        """What was paid since a day (`2026-11-20`, UTC; the last 30 days), the dearest first."""
        params = {"by": by, "since": since, "limit": limit}
        return _one(Costs, await self.http.request("GET", "/costs", params=params))

    async def prices(self, models: Sequence[str] = (), *, run_id: str | None = None) -> list[ModelPriceInfo]:
        """What models cost and who says so, with a run's declared prices where it is named; of no model: what is
        declared."""
        params = {"model": list(models), "run": run_id}
        return _page(ModelPriceInfo, await self.http.request("GET", "/prices", params=params)).items

    async def estimate(self, wanted: NewEstimate) -> Estimate:
        """What a run would ask and cost. Raises what `create_run` raises."""
        return _one(Estimate, await self.http.request("POST", "/estimates", json=wanted))

    # ── events ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def events(
        self,
        *,
        status: str | None = None,
        event_type: str | None = None,
        lane: str | None = None,
        run_id: str | None = None,
        after: str | None = None,
        limit: int = PAGE,
    ) -> Page[Event]:
        """A page of events, the newest first. Of a lane it may have less than `limit` and a `next` all the same."""
        params = {"status": status, "event_type": event_type, "lane": lane, "run_id": run_id}
        answer = await self.http.request("GET", "/events", params={**params, "after": after, "limit": limit})
        return _page(Event, answer)

    async def event(self, event_id: int) -> Event:
        return _one(Event, await self.http.request("GET", _path("events", str(event_id))))

    async def post_event(self, new: NewEvent, *, patience: float = PATIENCE, told: Told | None = None) -> Event:
        """Enqueue an event; one whose `dedupe_key` is taken is the one that is there. Raises InvalidRequest; QueueFull
        where its lane has no room for `patience` seconds; `told` is called before each wait for it.
        """
        ask = partial(self.http.request, "POST", "/events", json=new, headers=_once())
        return _one(Event, await patiently(ask, patience, told))

    async def correct_event(self, event_id: int, how: Literal["retry", "cancel", "discard"]) -> Event:
        """`retry` or `discard` a dead letter, `cancel` an event without a run. Raises NotFound, Conflict."""
        return _one(Event, await self.http.request("POST", _path("events", str(event_id), how)))

    async def dead_letters(
        self,
        *,
        lane: str | None = None,
        run_id: str | None = None,
        event_type: str | None = None,
        code: str | None = None,
        older_than: float | None = None,
        after: str | None = None,
        limit: int = PAGE,
        everybody: bool = False,
    ) -> Page[Event]:
        """A page of the dead letters, the oldest first. `older_than`: seconds since they died. `everybody`: also
        those of others, without what they asked; Forbidden for all but the holder of the installation's token."""
        params = {"lane": lane, "run_id": run_id, "event_type": event_type, "code": code, "older_than": older_than}
        params |= {"after": after, "limit": limit, "everybody": "true" if everybody else None}
        return _page(Event, await self.http.request("GET", "/events/dead", params=params))

    # ── people and keys ──────────────────────────────────────────────────────────────────────────────────────────

    async def me(self) -> Me:
        """Whose token this is."""
        return _one(Me, await self.http.request("GET", "/users/me"))

    async def users(self) -> list[User]:
        """Everybody with a token of their own. Raises Forbidden for all but the installation's token."""
        return [_one(User, item) for item in await self.http.request("GET", "/users")]

    async def add_user(self, name: str) -> AddedUser:
        """A new person, with the token that is shown only here. Raises Conflict, InvalidRequest, Forbidden."""
        return _one(AddedUser, await self.http.request("POST", "/users", json={"name": name}))

    async def remove_user(self, name: str) -> None:
        """Take somebody's token and keys away, and pause what they have running. Raises NotFound, Forbidden."""
        await self.http.request("DELETE", _path("users", name))

    async def keys(self) -> list[StoredKey]:
        """Which keys of model providers one keeps, nothing of the keys themselves."""
        return [_one(StoredKey, item) for item in await self.http.request("GET", "/keys")]

    async def set_key(self, provider: str, key: str, *, base_url: str | None = None) -> StoredKey:
        """Keep a key. Raises NotFound, InvalidRequest, and Conflict where the installation has no secret."""
        body = {"key": key, "base_url": base_url}
        return _one(StoredKey, await self.http.request("PUT", _path("keys", provider), json=body))

    async def remove_key(self, provider: str, *, base_url: str | None = None) -> None:
        """Forget a key. Raises NotFound."""
        await self.http.request("DELETE", _path("keys", provider), params={"base_url": base_url})

    # ── engines, health ──────────────────────────────────────────────────────────────────────────────────────────

    async def engines(self, *, engine_type: str | None = None, status: str | None = None) -> list[EngineInstance]:
        answer = await self.http.request(
            "GET", "/engine-instances", params={"engine_type": engine_type, "status": status}
        )
        return _page(EngineInstance, answer).items

    async def engine(self, engine_id: str) -> EngineInstance:
        """One engine; also one that is gone. Raises NotFound."""
        return _one(EngineInstance, await self.http.request("GET", _path("engine-instances", engine_id)))

    async def limits(self, *, user: str | None = None) -> list[WiderLimit]:
        """Where the limits stand that are wider than a run's. `user`: somebody else's. Raises Forbidden."""
        return _page(WiderLimit, await self.http.request("GET", "/limits", params={"user": user})).items

    async def set_limit(
        self, scope: LimitScope, limit: Decimal | None, *, name: str = "", user: str | None = None
    ) -> list[WiderLimit]:
        """Set a limit in US dollars; None takes it away. `name` is a group's. Answers where all of them stand then.

        Raises Forbidden where it is not the caller's to set, InvalidRequest.
        """
        wanted = SetLimit(limit="none" if limit is None else limit)
        path = _path("limits", scope, name) if name else _path("limits", scope)
        return _page(WiderLimit, await self.http.request("PUT", path, json=wanted, params={"user": user})).items

    async def providers(self) -> list[ProviderState]:
        """The model providers that have limits or are being asked."""
        return _page(ProviderState, await self.http.request("GET", "/providers")).items

    async def ready(self, timeout: float | None = None) -> dict[str, Any]:
        """What /readyz says; raises Unavailable where the API is not ready."""
        answer = await self.http.request("GET", "/readyz", timeout=timeout)
        return answer if isinstance(answer, dict) else {}

    async def invariants(self) -> Any:
        """Each invariant of the database with the rows that break it: none, in a healthy installation."""
        return await self.http.request("GET", "/health/invariants")


def _path(*parts: str) -> str:
    """`/runs/ID`: every part is escaped, so that a name can never reach another route."""
    return "/" + "/".join(quote(part, safe="") for part in parts)


def _once() -> dict[str, str]:
    """A key under which the API carries the request out once, should httpx or a proxy repeat it."""
    return {"idempotency-key": str(uuid.uuid4())}


def _one(model: type[M], answer: Any) -> M:
    return model.model_validate(answer)


def _page(model: type[M], answer: Any) -> Page[M]:
    """A page, or a plain list (the seed's clients get those) as the one page there is."""
    page = answer if isinstance(answer, dict) else {"items": answer}
    return Page[M](items=[_one(model, item) for item in page["items"]], next=page.get("next"))
