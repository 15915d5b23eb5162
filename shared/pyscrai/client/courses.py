"""Going on with a run otherwise, and holding runs beside each other, as typed calls; `Api.courses` has them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from urllib.parse import quote

from pyscrai.client.http import Http
from pyscrai.contract.branches import BoundaryShown, Family, NewBranch
from pyscrai.contract.comparisons import Comparison, Difference
from pyscrai.contract.inputs import NewInput, WaitingInput
from pyscrai.contract.runs import Run


class CourseCalls:
    """Every method raises ApiError or ApiUnreachable."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def branch(self, run_id: str, wanted: NewBranch) -> Run:
        """Start a branch of a run. Raises InvalidRequest (no such boundary, changes that make no sense), LimitRequired,
        UnpricedModel."""
        return Run.model_validate(await self._http.request("POST", _of(run_id, "branch"), json=wanted, headers=_once()))

    async def boundaries(self, run_id: str) -> list[BoundaryShown]:
        """Every place at which a run may be branched."""
        answer = await self._http.request("GET", _of(run_id, "boundaries"))
        return [BoundaryShown.model_validate(item) for item in answer["items"]]

    async def tell(self, run_id: str, wanted: NewInput) -> WaitingInput:
        """Put something into a run; it enters the log with the open step. Raises InvalidRequest, Conflict."""
        answer = await self._http.request("POST", _of(run_id, "inputs"), json=wanted, headers=_once())
        return WaitingInput.model_validate(answer)

    async def tree(self, run_id: str) -> Family:
        """The run that this one comes from in the end, and all branches of that."""
        return Family.model_validate(await self._http.request("GET", _of(run_id, "tree")))

    async def diff(self, run_id: str, other: str, *, after: int = 0) -> Difference:
        """Where two runs part, and what differs in the turns after `after`; `next` is the turn to go on after."""
        params: dict[str, str | int] = {"other": other, "after": after}
        return Difference.model_validate(await self._http.request("GET", _of(run_id, "diff"), params=params))

    async def compare(self, run_id: str, others: Sequence[str], *, after: int = 0) -> Comparison:
        """Runs turn by turn, held against the first one, after turn `after`; `next` is the turn to go on after."""
        params: dict[str, str | int] = {"other": ",".join(others), "after": after}
        return Comparison.model_validate(await self._http.request("GET", _of(run_id, "compare"), params=params))


def _of(run_id: str, what: str) -> str:
    return f"/runs/{quote(run_id, safe='')}/{what}"


def _once() -> dict[str, str]:
    """A key under which the API carries the request out once, should httpx or a proxy repeat it."""
    return {"idempotency-key": str(uuid.uuid4())}
