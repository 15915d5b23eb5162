"""Registration and heartbeats of engines (FORMATS §A)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field, JsonValue

from pyscrai.contract.wire import Wire

LowerCase = Annotated[str, AfterValidator(str.lower)]


class ResourceLimits(Wire):
    max_concurrent_events: int = Field(default=1, ge=1, le=10_000)
    memory_limit_mb: int | None = None


class RegisterEngine(Wire):
    """POST /engine-instances. `pool` is ours: engines of a private pool see only the runs of that pool.

    `lease_seconds`: None gives 300 (clients that renew nothing); our own engines ask for 20.
    """

    engine_type: LowerCase
    capabilities: list[str] = []
    resource_limits: ResourceLimits = ResourceLimits()
    metadata: dict[str, JsonValue] = {}
    pool: str | None = None
    lease_seconds: float | None = Field(default=None, gt=0, le=3600)
    heartbeat_seconds: float | None = Field(default=None, gt=0, le=600)
    protocol: int = Field(default=1, ge=0, le=2**31 - 1)


class EngineInstance(Wire):
    """An engine as the API shows it. `lane` is the queue it polls: the engine type, plus `:pool` where private."""

    id: str
    engine_type: str
    status: str
    last_heartbeat: str
    current_workload: int = 0
    engine_metadata: dict[str, JsonValue] = {}
    capabilities: list[str] = []
    resource_limits: ResourceLimits = ResourceLimits()
    pool: str | None = None
    lane: str
    heartbeat_seconds: float
    lease_seconds: float


class Registered(EngineInstance):
    """The answer to a registration; the token is shown only here."""

    token: str = Field(repr=False)
    protocol: int
    min_protocol: int


class HeldLease(Wire):
    event_id: int
    lease_no: int


class Heartbeat(Wire):
    """PUT /engine-instances/{id}/heartbeat. Without `leases` everything it holds is renewed."""

    status: str = "active"
    current_workload: int = 0
    resource_utilization: dict[str, Any] = {}
    leases: list[HeldLease] | None = None


class HeartbeatAnswer(EngineInstance):
    """`lost`: leases it no longer has (stop that work). `cancel`: the subset whose event was cancelled."""

    renewed: list[int] = []
    lost: list[int] = []
    cancel: list[int] = []
    drain: bool = False
