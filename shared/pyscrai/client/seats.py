"""The routes of people at seats as typed calls; `Api.seats` has them."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from pyscrai.client.http import Http
from pyscrai.contract.inputs import WaitingInput
from pyscrai.contract.runs import Delivered
from pyscrai.contract.seats import Asked, Draft, Move, Moved, ReleaseSeat, SavedDraft, SeatPage, SendBack, TakeSeat
from pyscrai.contract.wire import Page


class SeatCalls:
    """Every method raises ApiError or ApiUnreachable; whoever comes too late gets Conflict with the winner's name."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def inbox(self, *, run: str | None = None, seat: str | None = None, after: str | None = None) -> Page[Asked]:
        """A page of what one's runs ask of people."""
        answer = await self._http.request("GET", "/inbox", params={"run": run, "seat": seat, "after": after})
        return Page[Asked].model_validate(answer)

    async def page(self, run: str, seat: str) -> SeatPage:
        """A seat by name or title. Raises NotFound."""
        return SeatPage.model_validate(await self._http.request("GET", _path(run, seat)))

    async def log(self, run: str, seat: str, after: int) -> Page[Delivered]:
        """A page of the log after a number, as the seat may read it."""
        answer = await self._http.request(
            "GET", f"/runs/{quote(run, safe='')}/log", params={"after": after, "seat": seat}
        )
        return Page[Delivered].model_validate(answer)

    async def draft(self, asked: Asked, value: dict[str, Any]) -> SavedDraft:
        """Keep what has been typed so far. Raises Conflict."""
        body = Draft(value=value, lease_no=asked.lease_no, event_id=asked.event_id)
        answer = await self._http.request("PUT", _path(asked.run_id, asked.seat, "draft"), json=body)
        return SavedDraft.model_validate(answer)

    async def move(self, asked: Asked, value: dict[str, Any] | None) -> Moved:
        """What the seat does; None approves the proposal as it is. May be repeated. Raises InvalidMove, Conflict."""
        body = Move(value=value, approve=value is None, lease_no=asked.lease_no, event_id=asked.event_id)
        answer = await self._http.request("POST", _path(asked.run_id, asked.seat, "move"), json=body)
        return Moved.model_validate(answer)

    async def send_back(self, asked: Asked, remark: str) -> SeatPage:
        """Have the model propose again. Raises Conflict."""
        body = SendBack(remark=remark, lease_no=asked.lease_no, event_id=asked.event_id)
        answer = await self._http.request("POST", _path(asked.run_id, asked.seat, "return"), json=body)
        return SeatPage.model_validate(answer)

    async def take(self, run: str, seat: str, wanted: TakeSeat) -> SeatPage:
        """A person plays the seat from now on. Raises NotFound, Conflict."""
        return SeatPage.model_validate(await self._http.request("POST", _path(run, seat, "take"), json=wanted))

    async def release(self, run: str, seat: str, wanted: ReleaseSeat) -> SeatPage:
        """A model plays the seat from now on. Raises NotFound, Conflict, UnpricedModel, LimitRequired."""
        return SeatPage.model_validate(await self._http.request("POST", _path(run, seat, "release"), json=wanted))

    async def whisper(self, run: str, seat: str, text: str) -> WaitingInput:
        """Tell one seat something that nobody else at the table learns. Raises NotFound, Conflict."""
        answer = await self._http.request("POST", _path(run, seat, "whisper"), json={"text": text})
        return WaitingInput.model_validate(answer)


def _path(run: str, seat: str, *more: str) -> str:
    return "/" + "/".join(quote(part, safe="") for part in ("runs", run, "seats", seat, *more))
