"""Model providers over HTTP: what may be asked of them, and whether they can be asked now."""

from __future__ import annotations

from pyscrai.contract.wire import Wire


class ProviderState(Wire):
    """GET /providers: one provider, as all engines of the installation share it. None: no limit.

    A server that is named by its address is called by host and port. `key_of`: whose own key it is asked with, which
    has the limits for itself; None: the installation's. `timeout`: seconds that a call may take, where
    the installation says so. `open_calls`: events with a call that is not settled. `blocked_for`: seconds for which the
    provider still wants to be left alone, for the reason `blocked_by`. `free_in`: seconds until the rates allow the
    next request; 0: now.
    """

    name: str
    key_of: str | None = None
    concurrency: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    timeout: float | None = None
    open_calls: int = 0
    blocked_for: float = 0
    blocked_by: str | None = None
    free_in: float = 0
