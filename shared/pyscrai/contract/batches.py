"""Sweeps over HTTP: many runs of one scenario with varied choices, and what they come to together."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from pyscrai.contract.runs import POOL
from pyscrai.contract.wire import Money, Wire
from pyscrai.domain.sweeps import Sweep

BatchStatus = Literal["running", "paused", "done", "cancelled"]


class NewBatch(Wire):
    """POST /batches. The same `config` under the same name is the batch that there is; it goes on. `pool`: whose
    engines play it."""

    config: Sweep
    pool: str | None = Field(default=None, pattern=POOL)


class ResumeBatch(Wire):
    """POST /batches/{id}/resume: with `move`, open runs go to the engines of `pool`. `budget`: a new one, or none."""

    pool: str | None = Field(default=None, pattern=POOL)
    move: bool = False
    budget: Money | Literal["none"] | None = None


class Batch(Wire):
    """How far a sweep is. `counts`: its runs by status; `planned` are not started yet, `refused` could not be.

    `left`: what its budget still holds. `waits_for`: why no further run is started although some are planned.
    """

    id: str
    name: str
    title: str = ""
    scenario: str
    version: int
    status: BatchStatus
    owner: str
    runs: int
    variations: int
    counts: dict[str, int]
    ended: int
    at_once: int
    budget: Money | None = None
    spent: Money
    left: Money | None = None
    waits_for: str | None = None
    pool: str | None = None
    sha256: str
    created_at: str


class BatchRun(Wire):
    """One run of a sweep, as a row of a table. `metrics`: the last value of each (`name`, or `name[seat]`); one that
    was never measured is not there."""

    place: int
    variation: int
    varied: dict[str, JsonValue]
    seed: int
    repetition: int
    run_id: str | None = None
    run: str | None = None
    status: str
    outcome: str | None = None
    error: str | None = None
    turns: int = 0
    cost: Money
    metrics: dict[str, JsonValue] = {}


class Ends(Wire):
    """Both ends of a 95 % interval."""

    low: float
    high: float


class Distribution(Wire):
    """Numbers of one kind over the runs of a variation that have one; `missing` have none.

    `interval` is the mean's, by Student's t; `change` and `change_interval` are the mean's difference from the first
    variation's, by Welch's t. None where there are fewer than two runs.
    """

    n: int
    missing: int = 0
    mean: float
    sd: float | None = None
    min: float
    q1: float
    median: float
    q3: float
    max: float
    interval: Ends | None = None
    change: float | None = None
    change_interval: Ends | None = None
    values: list[float] = []


class Share(Wire):
    """How many of `of` runs ended or measured so; the interval is Wilson's."""

    value: str
    n: int
    of: int
    share: float
    interval: Ends


class VariationResult(Wire):
    """What the runs of one variation came to. Only completed runs count in `outcomes`, `metrics` and `turns`; `cost` is
    of all that were started. `shares`: metrics whose values are words, or yes and no."""

    number: int
    varied: dict[str, JsonValue]
    runs: int
    completed: int
    failed: int
    outcomes: list[Share]
    metrics: dict[str, Distribution]
    shares: dict[str, list[Share]]
    missing: dict[str, int]
    turns: Distribution | None = None
    cost: Distribution | None = None


class BatchResults(Wire):
    """GET /batches/{id}/results: the sweep, every run as a row, and each variation summed up."""

    batch: Batch
    rows: list[BatchRun]
    variations: list[VariationResult]
