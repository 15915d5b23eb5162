"""The settings of one engine, read once at the entry point and passed down whole."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """Times are in seconds. `health_port` 0 takes a free port, None serves no health at all."""

    engine_type: str
    api_url: str
    token: str | None = field(default=None, repr=False)
    pool: str | None = None
    concurrency: int = 16
    lease_seconds: float = 20.0
    heartbeat_seconds: float = 5.0
    grace_seconds: float = 20.0
    call_seconds: float = 120.0
    wait_seconds: float = 20.0
    health_host: str = "127.0.0.1"
    health_port: int | None = 0
    log_level: str = "info"

    def __post_init__(self) -> None:
        if self.heartbeat_seconds * 2 > self.lease_seconds:
            raise ValueError(
                f"a lease of {self.lease_seconds:g} s needs a heartbeat of {self.lease_seconds / 2:g} s at most, "
                f"not {self.heartbeat_seconds:g} s: one lost heartbeat must not lose the lease"
            )
