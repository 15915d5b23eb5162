"""What can be asked of a run's log beside its lines: who could know what, and when."""

from __future__ import annotations

from pyscrai.contract.runs import Delivered
from pyscrai.contract.wire import Wire
from pyscrai.domain.knowledge import Secret, Since


class Knowledge(Wire):
    """What a seat could know when the log had `at` lines: the story it could have read, and what it was told that only
    one other had known. `next` goes into `?after=` for more entries; None at the end."""

    seat: str
    at: int
    turn: int
    entries: list[Delivered] = []
    secrets: list[Secret] = []
    next: int | None = None


class Known(Wire):
    """Who could know of one line of the log, and since when. Everybody: also seats that come later."""

    entry: Delivered
    everybody: bool
    seats: list[Since] = []
