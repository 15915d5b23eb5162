"""Sweeps from a program: post one, wait for it, take its rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import anyio

from pyscrai.client.api import Api
from pyscrai.client.errors import ApiUnreachable, InvalidRequest, Unavailable
from pyscrai.contract.batches import Batch, BatchResults, NewBatch
from pyscrai.domain.sweeps import Sweep
from pyscrai.sdk.catalog import in_catalog, publish
from pyscrai.sdk.documents import located
from pyscrai.sdk.errors import TemplateError
from pyscrai.sdk.scenario import Scenario

LOOK_EVERY = 0.5
"""Seconds between two looks at a batch that plays."""
STILL = ("pending", "running", "waiting")


@dataclass(frozen=True, kw_only=True)
class BatchResult:
    """A sweep as it stood. `results` has every row and each variation summed up."""

    results: BatchResults

    @property
    def batch(self) -> Batch:
        return self.results.batch

    def rows(self) -> list[dict[str, Any]]:
        """A plain dict for each run: its place, what was varied, how it ended, its cost as a Decimal, each metric."""
        fixed = ("place", "variation", "seed", "repetition", "run", "run_id", "status", "outcome", "turns", "cost")
        return [
            {name: getattr(row, name) for name in fixed}
            | {f"vary.{path}": value for path, value in row.varied.items()}
            | {f"metric.{name}": value for name, value in row.metrics.items()}
            | {"error": row.error}
            for row in self.results.rows
        ]

    def to_frame(self) -> Any:
        """The rows as a pandas.DataFrame. Raises ImportError where pandas is not installed: nothing here needs it."""
        return import_module("pandas").DataFrame(self.rows())


async def post(api: Api, config: Sweep, scenario: Scenario | str, *, pool: str | None = None) -> Batch:
    """Publish the scenario where it is a document, and post the sweep; the same one again is the one that there is.

    Raises ScenarioError, ScenarioNotFound, Conflict, InvalidRequest.
    """
    template = await in_catalog(api, scenario) if isinstance(scenario, str) else await publish(api, scenario)
    # What the document leaves open stays open, so fields are replaced one by one and none is filled in.
    pinned = config.model_copy(update={"scenario": template.id, "version": template.version})
    return await api.create_batch(NewBatch(config=pinned, pool=pool))


async def watch(
    api: Api, name: str, on_progress: Callable[[Batch], None] = lambda _: None, *, patience: float = 60
) -> Batch:
    """Wait until nothing of a sweep plays any more: it is done, paused, cancelled, or all that is left stands still.

    Raises ApiUnreachable or Unavailable when the API has not answered for `patience` seconds.
    """
    silent_since: float | None = None
    while True:
        try:
            batch = await api.batch(name)
        except (ApiUnreachable, Unavailable):
            silent_since = silent_since or time.monotonic()
            if time.monotonic() - silent_since > patience:
                raise
        else:
            silent_since = None
            on_progress(batch)
            if over(batch):
                return batch
        await anyio.sleep(LOOK_EVERY)


def over(batch: Batch) -> bool:
    """Whether nothing will happen without somebody doing something. When the last run has ended, the batch is done a
    moment later."""
    if batch.status == "running" and batch.ended == batch.runs:
        return False
    plays = any(batch.counts.get(status) for status in STILL)
    waits = bool(batch.counts.get("planned")) and batch.waits_for is None
    return batch.status != "running" or not (plays or waits)


def with_lines(error: InvalidRequest, file: Path, positions: Any) -> TemplateError:
    """The API's objections, each with its line of the batch file."""
    told = [one.model_copy(update={"pointer": one.pointer.removeprefix("/config")}) for one in error.errors]
    return TemplateError(str(file), located(told, positions))
