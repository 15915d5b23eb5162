"""PyScrAI: play scenarios with model-driven and human actors.

    from pyscrai import Scenario, Runner

    result = Runner().run(Scenario.load("templates/scenarios/negotiation"), end_turn=3)

Everything is loaded when it is first used, because the command line must start at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyscrai.domain.errors import PyScrAIError
    from pyscrai.sdk.batches import BatchResult
    from pyscrai.sdk.errors import NoSuchRun, RunBlocked, RunFailed, RunStopped, ScenarioError, ScenarioNotFound
    from pyscrai.sdk.event import Event
    from pyscrai.sdk.human import HumanActor
    from pyscrai.sdk.result import RunResult
    from pyscrai.sdk.runner import Runner
    from pyscrai.sdk.scenario import Scenario

    __version__: str

_HOMES = {
    "BatchResult": "pyscrai.sdk.batches",
    "Event": "pyscrai.sdk.event",
    "HumanActor": "pyscrai.sdk.human",
    "NoSuchRun": "pyscrai.sdk.errors",
    "PyScrAIError": "pyscrai.domain.errors",
    "RunBlocked": "pyscrai.sdk.errors",
    "RunFailed": "pyscrai.sdk.errors",
    "RunResult": "pyscrai.sdk.result",
    "RunStopped": "pyscrai.sdk.errors",
    "Runner": "pyscrai.sdk.runner",
    "Scenario": "pyscrai.sdk.scenario",
    "ScenarioError": "pyscrai.sdk.errors",
    "ScenarioNotFound": "pyscrai.sdk.errors",
}

__all__ = [
    "BatchResult",
    "Event",
    "HumanActor",
    "NoSuchRun",
    "PyScrAIError",
    "RunBlocked",
    "RunFailed",
    "RunResult",
    "RunStopped",
    "Runner",
    "Scenario",
    "ScenarioError",
    "ScenarioNotFound",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("pyscrai")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
