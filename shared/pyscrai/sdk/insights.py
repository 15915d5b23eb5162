"""Questions about runs, over the client: who could know what, and patterns."""

from __future__ import annotations

from pyscrai.client.api import Api
from pyscrai.contract.insights import Knowledge, Known
from pyscrai.domain.patterns import Patterns
from pyscrai.domain.timeline import Timeline


async def knowledge(api: Api, run_id: str, seat: str, *, turn: int | None = None, at: int | None = None) -> Knowledge:
    """Everything that a seat could know at the end of a turn or at a number of the log. Raises ClientError."""
    params: dict[str, str | int | None] = {"seat": seat, "turn": turn, "at": at}
    found = Knowledge.model_validate(await api.http.request("GET", f"/runs/{run_id}/knowledge", params=params))
    following = found.next
    while following is not None:
        answer = await api.http.request("GET", f"/runs/{run_id}/knowledge", params=params | {"after": following})
        more = Knowledge.model_validate(answer)
        found.entries.extend(more.entries)
        following = more.next
    return found.model_copy(update={"next": None})


async def known(api: Api, run_id: str, entry: int) -> Known:
    """Who could know of a line of the log, and since when. Raises ClientError."""
    return Known.model_validate(await api.http.request("GET", f"/runs/{run_id}/knowledge", params={"entry": entry}))


async def patterns(api: Api, run_id: str) -> Patterns:
    """The patterns of a run's log. Raises ClientError."""
    return Patterns.model_validate(await api.http.request("GET", f"/runs/{run_id}/patterns"))


async def timeline(api: Api, scenario: str, *, seed: int = 0, turns: int | None = None) -> Timeline:
    """What will happen to the world of a scenario of the catalog. Raises ClientError."""
    answer = await api.http.request("GET", f"/scenarios/{scenario}/timeline", params={"seed": seed, "turns": turns})
    return Timeline.model_validate(answer)
