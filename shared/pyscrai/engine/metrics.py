"""What an engine counts, in a registry of its own (two engines in one process do not mix)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

if TYPE_CHECKING:
    from pyscrai.contract.events import CallRecord

SECONDS = (0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120)


class Metrics:
    """The counters of one engine on one lane."""

    def __init__(self, engine_type: str) -> None:
        self.registry = CollectorRegistry()
        self._lane = engine_type
        self._outcomes: dict[tuple[str, str], Counter] = {}
        registry = self.registry
        self._events = Counter(
            "pyscrai_engine_events", "Events worked on.", ["lane", "event_type", "outcome"], registry=registry
        )
        self._calls = Counter("pyscrai_engine_model_calls", "Model calls.", ["provider", "outcome"], registry=registry)
        self._call_seconds = Histogram(
            "pyscrai_engine_model_call_seconds",
            "Time of a model call.",
            ["provider"],
            buckets=SECONDS,
            registry=registry,
        )
        self._tokens = Counter("pyscrai_engine_tokens", "Tokens as providers count.", ["direction"], registry=registry)
        self._requests = Counter("pyscrai_engine_http_requests", "Requests to the API.", ["kind"], registry=registry)
        self._inflight = Gauge("pyscrai_engine_inflight", "Events being worked on.", registry=registry)
        self._late = Gauge(
            "pyscrai_engine_loop_lateness_seconds", "How late the last heartbeat ran.", registry=registry
        )

    def set_lane(self, lane: str) -> None:
        """The lane that the registration gave."""
        self._lane = lane
        self._outcomes.clear()

    def event(self, event_type: str, outcome: str) -> None:
        """An event left this engine: done, retry, fail, hand_back, dropped, stale, unknown, invalid."""
        counter = self._outcomes.get((event_type, outcome))
        if counter is None:
            counter = self._outcomes[event_type, outcome] = self._events.labels(self._lane, event_type, outcome)
        counter.inc()

    def model_call(self, call: CallRecord) -> None:
        """A call was answered, failed, or was released unsent."""
        provider = call.model.partition(":")[0] or "unknown"
        outcome = "unsent" if not call.sent else "error" if call.error else "ok"
        self._calls.labels(provider, outcome).inc()
        if call.sent:
            self._call_seconds.labels(provider).observe(call.seconds)
        if call.usage is not None:
            self._tokens.labels("input").inc(call.usage.input_tokens)
            self._tokens.labels("output").inc(call.usage.output_tokens)

    def request(self, kind: str) -> None:
        """A request: register, heartbeat, claim_nonempty, claim_empty, claim_unanswered, reserve, finish."""
        self._requests.labels(kind).inc()

    def inflight(self, count: Callable[[], int]) -> None:
        """Who knows how many events are being worked on; asked when metrics are read."""
        self._inflight.set_function(count)

    def lateness(self, seconds: float) -> None:
        self._late.set(seconds)
