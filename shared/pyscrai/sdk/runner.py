"""`Runner`: play scenarios from a program, blocking or async, with handlers for what happens."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping
from contextlib import ExitStack, aclosing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from anyio import CancelScope, move_on_after, to_thread

from pyscrai.client.api import Api
from pyscrai.client.errors import ClientError
from pyscrai.contract.batches import ResumeBatch
from pyscrai.contract.costs import RunCosts
from pyscrai.contract.estimates import Estimate
from pyscrai.contract.runs import NewReplay, NewRun, Run
from pyscrai.domain.choices import Choices
from pyscrai.domain.sweeps import Sweep
from pyscrai.sdk import batches
from pyscrai.sdk.batches import BatchResult
from pyscrai.sdk.catalog import in_catalog, publish
from pyscrai.sdk.choices import choices_of, resume_of
from pyscrai.sdk.courses import Courses
from pyscrai.sdk.errors import RunBlocked, RunFailed
from pyscrai.sdk.estimates import estimate_of
from pyscrai.sdk.event import Handler, Handlers, known
from pyscrai.sdk.follow import follow
from pyscrai.sdk.human import HumanActor, at_seats, seated, with_people
from pyscrai.sdk.names import find_run
from pyscrai.sdk.place import ONE_OF_EACH, Place, find_place
from pyscrai.sdk.portal import call, close_at_exit, portal
from pyscrai.sdk.prices import Amount
from pyscrai.sdk.result import RunResult, result_of
from pyscrai.sdk.scenario import Scenario

if TYPE_CHECKING:
    import httpx

H = TypeVar("H", bound=Handler)
SECONDS_TO_PAUSE = 5.0


class Runner(Courses):
    """Plays scenarios at one place, found at the first call (see `pyscrai.sdk.place.find_place`).

    Where there is no API yet, the runner starts PostgreSQL, an API and `engines` on a private pool, and keeps them
    until it is closed, used up as a context manager, or the program ends.
    """

    def __init__(
        self,
        api_url: str | None = None,
        *,
        token: str | None = None,
        database_url: str | None = None,
        data: Path | None = None,
        engines: Mapping[str, int] = ONE_OF_EACH,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._find = partial(
            find_place,
            api_url=api_url,
            token=token,
            database_url=database_url,
            data=data,
            engines=engines,
            transport=transport,
        )
        self._handlers = Handlers()
        self._lock = threading.Lock()
        self._held = ExitStack()
        self._place: Place | None = None
        # What this runner started must end with it, also where nobody closes it: `Runner().run(…)` is usual.
        close_at_exit(self._held)
        weakref.finalize(self, _let_go, self._held).atexit = False

    def on(self, kind: str) -> Callable[[H], H]:
        """Call the decorated function, plain or async, with an Event for each entry of this kind (`*`: of any).

        Raises ValueError for a kind that there is not. An error in a handler ends the call that is playing, and
        pauses the run.
        """

        known(kind)

        def add(handler: H) -> H:
            self._handlers.add(kind, handler)
            return handler

        return add

    def run(self, scenario: Scenario | str, **options: Any) -> RunResult:
        """Play a scenario and wait for its end; the options are those of `run_async`."""
        return call(partial(self.run_async, scenario, **options))

    async def run_async(
        self,
        scenario: Scenario | str,
        *,
        end_turn: int | None = None,
        credit_limit: Amount = None,
        model: str | None = None,
        seats: Mapping[str, Any] | None = None,
        seed: int | None = None,
        prices: Mapping[str, Any] | None = None,
        title: str | None = None,
        labels: Mapping[str, str] | None = None,
        cache: bool = False,
        group: str | None = None,
        edits: Mapping[str, Mapping[str, Any]] | None = None,
        human_actors: Mapping[str, HumanActor] | None = None,
    ) -> RunResult:
        """Play a scenario (or the catalog's, by id or name) and wait until it ends or stands still.

        `end_turn`: how many turns; `credit_limit`: US dollars, or "none"; `seats`: per seat (and `narrator`,
        `analyst`) a model, or {model, temperature, max_tokens, instructions}; `prices`: model → (input, output) in
        US dollars per million tokens, or a mapping that may also have `cached_input`, `cache_write`, `reasoning`,
        `request` and `tiers`; `cache`: take answers that the same requests got in earlier runs with this
        option and the same seed, and keep new ones; `group`: the name of a group of runs that share a limit;
        `edits`: seat → field → value, what is otherwise than in the scenario; `human_actors`: seat → the person who
        plays it. A run that pauses for money comes back with `status == "paused"`.

        Raises ScenarioError, RunBlocked, RunFailed, ClientError. A call that is cancelled pauses its run first.
        """
        choices = choices_of(
            end_turn=end_turn,
            credit_limit=credit_limit,
            model=model,
            seats=seats,
            seed=seed,
            prices=prices,
            title=title,
            labels=labels,
            cache=cache,
            group=group,
            edits=edits,
        )
        people = at_seats(human_actors or {}, [] if isinstance(scenario, str) else scenario.seats)
        place = await self._at()
        async with place.api() as api:
            run = await start(api, scenario, seated(choices, people), pool=place.pool)
            return await with_people(api, run, people, lambda: self._play(api, run, after=0))

    def replay(self, run: str, scenario: Scenario | str | None = None, **options: Any) -> RunResult:
        """Play a run again from its recording, and wait; the options are those of `replay_async`."""
        return call(partial(self.replay_async, run, scenario, **options))

    async def replay_async(
        self, run: str, scenario: Scenario | str | None = None, *, latest: bool = False, title: str | None = None
    ) -> RunResult:
        """Play a run again with the answers that its models gave: none is asked, it costs nothing, and the digest is
        that of the recording. With another `scenario`, or with event types as they are now (`latest`), it raises
        RunBlocked at the first request that was not recorded, with the difference as its reason. Raises NoSuchRun,
        ScenarioError, ClientError."""
        place = await self._at()
        async with place.api() as api:
            found = await find_run(api, run)
            started = await start_replay(api, found, scenario, latest=latest, title=title, pool=place.pool)
            return await self._play(api, started, after=0)

    def resume(self, run: str, **options: Any) -> RunResult:
        """Go on with a run that stands still, and wait; the options are those of `resume_async`."""
        return call(partial(self.resume_async, run, **options))

    async def resume_async(
        self,
        run: str,
        *,
        credit_limit: Amount = None,
        model: str | None = None,
        seats: Mapping[str, Any] | None = None,
        prices: Mapping[str, Any] | None = None,
    ) -> RunResult:
        """Go on with a paused or blocked run, under a new limit or with other models where they are given (`model`
        leaves the seats alone that have one of their own; `seats` may change model, temperature, max_tokens); its
        open events move to the engines of this runner. Handlers see what is new, the result has the whole log.
        Raises NoSuchRun, Conflict where the run has ended, and what `run_async` raises."""
        place = await self._at()
        async with place.api() as api:
            found = await find_run(api, run)
            wanted = resume_of(credit_limit=credit_limit, model=model, seats=seats, prices=prices, pool=place.pool)
            resumed = await api.resume(found.id, wanted)
            return await self._play(api, resumed, after=found.last_seq)

    def costs(self, run: str) -> RunCosts:
        """What a run (its id or name) has cost by seat, phase, model and turn. Raises NoSuchRun, ClientError."""
        return call(partial(self.costs_async, run))

    async def costs_async(self, run: str) -> RunCosts:
        """As `costs`."""
        place = await self._at()
        async with place.api() as api:
            return await api.run_costs((await find_run(api, run)).id)

    def estimate(self, scenario: Scenario | str, **options: Any) -> Estimate:
        """What a run of `run` with these options would ask and cost; nothing is spent. Raises what `run` raises."""
        return call(partial(self.estimate_async, scenario, **options))

    async def estimate_async(self, scenario: Scenario | str, **options: Any) -> Estimate:
        """As `estimate`."""
        choices = choices_of(**options)
        place = await self._at()
        async with place.api() as api:
            return await estimate_of(api, scenario, choices)

    def batch(self, config: Mapping[str, Any], scenario: Scenario | str | None = None) -> BatchResult:
        """Play a sweep (a mapping as in `pyscrai/batch@1`) to its end, and return its rows and sums; the same one again
        goes on. `scenario`: instead of the one that the mapping names. Raises ValueError where the mapping is no
        sweep, and what `run` raises but RunBlocked and RunFailed: runs that fail are rows too."""
        return call(partial(self.batch_async, config, scenario))

    async def batch_async(self, config: Mapping[str, Any], scenario: Scenario | str | None = None) -> BatchResult:
        """As `batch`. A call that is cancelled pauses the batch first."""
        wanted = scenario if scenario is not None else str(config.get("scenario") or "")
        sweep = Sweep.model_validate({**config, "scenario": str(config.get("scenario") or "-")})
        place = await self._at()
        async with place.api() as api:
            batch = await batches.post(api, sweep, wanted, pool=place.pool)
            if batch.status == "paused" or (batch.status != "done" and batch.pool != place.pool):
                await api.resume_batch(batch.id, ResumeBatch(pool=place.pool, move=True))
            try:
                await batches.watch(api, batch.id)
            except BaseException:
                with CancelScope(shield=True), move_on_after(SECONDS_TO_PAUSE):
                    await api.pause_batch(batch.id)
                raise
            return BatchResult(results=await api.batch_results(batch.id))

    def close(self) -> None:
        """End what this runner has started. Runs that are not over stay as they are and can be resumed."""
        with self._lock:
            self._place = None
            self._held.close()

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _at(self) -> Place:
        """The place of this runner. It is opened on the portal's loop whichever loop calls, because it outlives the
        call."""
        return await to_thread.run_sync(self._open)

    def _open(self) -> Place:
        with self._lock:
            if self._place is None:
                self._place = self._held.enter_context(portal().wrap_async_context_manager(self._find()))
            return self._place

    async def _play(self, api: Api, run: Run, *, after: int) -> RunResult:
        """Follow a run, calling the handlers; entries up to `after` are old and no news."""
        log = []
        try:
            async with aclosing(follow(api, run.id)) as entries:
                async for entry in entries:
                    log.append(entry)
                    if entry.seq > after:
                        await self._handlers.call(entry, run.id)
        except BaseException:
            await _pause(api, run.id)
            raise
        result = result_of(await api.run(run.id), log)
        if result.status == "blocked":
            raise RunBlocked(result)
        if result.status == "failed":
            raise RunFailed(result)
        return result


async def start(api: Api, scenario: Scenario | str, choices: Choices, *, pool: str | None = None) -> Run:
    """Publish the scenario where it is a document, and create the run. Raises what the two routes raise."""
    template = await in_catalog(api, scenario) if isinstance(scenario, str) else await publish(api, scenario)
    return await api.create_run(NewRun(scenario=template.id, version=template.version, choices=choices, pool=pool))


async def start_replay(
    api: Api,
    recorded: Run,
    scenario: Scenario | str | None = None,
    *,
    latest: bool = False,
    title: str | None = None,
    pool: str | None = None,
) -> Run:
    """Publish the scenario where it is a document, and create a run that replays `recorded`."""
    wanted = NewReplay(latest=latest, title=title, pool=pool)
    if scenario is not None:
        template = await in_catalog(api, scenario) if isinstance(scenario, str) else await publish(api, scenario)
        wanted = wanted.model_copy(update={"scenario": template.id, "version": template.version})
    return await api.replay(recorded.id, wanted)


async def _pause(api: Api, run_id: str) -> None:
    """Nobody watches this run any more: it must not go on spending. What stopped us is raised, not what fails here."""
    with CancelScope(shield=True), move_on_after(SECONDS_TO_PAUSE):
        try:
            await api.pause(run_id)
        except ClientError as error:
            import structlog

            structlog.get_logger().warning("run_not_paused", run=run_id, error=str(error))


def _let_go(held: ExitStack) -> None:
    """Close in a thread: garbage is also collected on the portal's own thread, which must not wait for itself."""
    threading.Thread(target=held.close, name="pyscrai-close").start()
