"""What a `Runner` does to the course of runs: tell them something, branch them, hold them beside each other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from typing import Any

from pyscrai.client.api import Api
from pyscrai.contract.branches import Family
from pyscrai.contract.comparisons import Comparison, Difference
from pyscrai.contract.inputs import WaitingInput
from pyscrai.contract.runs import Run
from pyscrai.sdk.branching import Told, branch_of, input_of
from pyscrai.sdk.comparing import comparison_of, difference_of
from pyscrai.sdk.names import find_run
from pyscrai.sdk.place import Place
from pyscrai.sdk.portal import call
from pyscrai.sdk.result import RunResult


class Courses(ABC):
    """Mixed into Runner, which has the place and plays."""

    @abstractmethod
    async def _at(self) -> Place: ...

    @abstractmethod
    async def _play(self, api: Api, run: Run, *, after: int) -> RunResult: ...

    def branch(self, run: str, **options: Any) -> RunResult:
        """Branch a run, play the branch and wait; the options are those of `branch_async`."""
        return call(partial(self.branch_async, run, **options))

    async def branch_async(self, run: str, **options: Any) -> RunResult:
        """A new run that shares the story of `run` until after `turn` (or up to its entry `seq`), and goes on with what
        is changed: model, seats, edits (seat → field → value), facts, world, inputs, credit_limit, end_turn, seed,
        prices, title, labels, group. It pays only for what comes after; handlers see only that, the result has the
        whole log. Raises NoSuchRun, InvalidRequest where there is no such boundary, and what `run_async` raises."""
        place = await self._at()
        async with place.api() as api:
            found = await find_run(api, run)
            made = await api.courses.branch(found.id, branch_of(**options, pool=place.pool))
            return await self._play(api, made, after=0 if made.branch_of is None else made.branch_of.seq)

    def tell(self, run: str, told: Told) -> WaitingInput:
        """Put something into a run: a text for all, or {kind: input|edit|metric, seat, text, world, facts, metric,
        value}. It enters the log with the step that is open. Raises NoSuchRun, InvalidRequest, Conflict."""
        return call(partial(self.tell_async, run, told))

    async def tell_async(self, run: str, told: Told) -> WaitingInput:
        """As `tell`."""
        place = await self._at()
        async with place.api() as api:
            return await api.courses.tell((await find_run(api, run)).id, input_of(told))

    def compare_runs(self, *runs: str) -> Comparison:
        """2 to 20 runs turn by turn, held against the first one. Raises NoSuchRun, InvalidRequest, ClientError."""
        return call(partial(self.compare_runs_async, *runs))

    async def compare_runs_async(self, *runs: str) -> Comparison:
        """As `compare_runs`."""
        place = await self._at()
        async with place.api() as api:
            return await comparison_of(api, runs)

    def diff(self, run: str, other: str) -> Difference:
        """Where two runs part, and what differs from turn to turn. Raises NoSuchRun, ClientError."""
        return call(partial(self.diff_async, run, other))

    async def diff_async(self, run: str, other: str) -> Difference:
        """As `diff`."""
        place = await self._at()
        async with place.api() as api:
            return await difference_of(api, run, other)

    def tree(self, run: str) -> Family:
        """The family of a run: where it comes from, and all branches of that. Raises NoSuchRun, ClientError."""
        return call(partial(self.tree_async, run))

    async def tree_async(self, run: str) -> Family:
        """As `tree`."""
        place = await self._at()
        async with place.api() as api:
            return await api.courses.tree((await find_run(api, run)).id)
