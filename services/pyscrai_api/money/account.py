"""Whoever pays for model calls, locked by a transaction: a run, or an owner's budget of events without a run.

An account has a limit of its own and draws from the wider limits in tranches (`money.purses`): a call touches the
account's own row only, as long as its tranche lasts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from pyscrai_api.database import Connection
from pyscrai_api.money.bills import Bill
from pyscrai_api.money.standing import Standing

if TYPE_CHECKING:
    from pyscrai.contract.events import CallRecord, Reserve
    from pyscrai_api.money.purses import Purse, PurseKey
    from pyscrai_api.money.recorded import Memory
    from pyscrai_api.queue.store import HandBack

TODAY = "(clock_timestamp() AT TIME ZONE 'UTC')::date AS today"
"""A column: the day by the database's clock."""


@dataclass(kw_only=True)
class Account:
    """The money of one run or one budget. Change the fields, then `save` once.

    `tranche`: drawn from the purses of the day `drawn_on` and not reserved yet. `limit_usd` None: no limit was set, and
    nothing that costs money is allowed. `owed`: by how much purses are to change when this is saved; `purses`: those
    that are locked already; `warned`: the limits that people were just warned of. `bills` are logged after the commit.
    """

    SCOPE: ClassVar[str] = "run"

    conn: Connection
    owner: str
    limit_usd: Decimal | None
    spent: Decimal
    reserved: Decimal
    open_calls: int
    tranche: Decimal
    drawn_on: date | None
    today: date
    group_name: str | None = None
    model_calls: int = 0
    bills: list[Bill] = field(default_factory=list)
    owed: dict[PurseKey, Decimal] = field(default_factory=dict)
    purses: dict[PurseKey, Purse] | None = None
    warned: dict[PurseKey, Decimal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.drawn_on is not None:
            # A transaction that began before midnight and waited for this lock must not go back a day.
            self.today = max(self.today, self.drawn_on)

    @property
    def run_id(self) -> UUID | None:
        """The run that pays; None for a budget."""
        return None

    @property
    def memory(self) -> Memory | None:
        """Where it takes answers from that were given before; None: it asks models only."""
        return None

    @property
    def running(self) -> bool:
        """Whether calls may be made."""
        return True

    @property
    def available(self) -> Decimal | None:
        """What its own limit leaves; None where there is no limit."""
        return None if self.limit_usd is None else self.limit_usd - self.spent - self.reserved

    def own_standing(self) -> Standing | None:
        """Where its own limit stands; None where there is none."""
        if self.limit_usd is None or self.available is None:
            return None
        taken = self.spent + self.reserved
        return Standing(scope=self.SCOPE, limit=self.limit_usd, taken=taken, free=self.available)

    def reserve(self, bound: Decimal, day: date | None) -> None:
        """Book one call that may cost `bound`; its money is in the tranche, unless it is free (`day` None)."""
        self.reserved += bound
        self.open_calls += 1
        if day is not None:
            self.tranche -= bound

    def refused(self, call: Reserve, bound: Decimal, lacking: Standing) -> HandBack:
        """How the event of a call goes back for which there is no money."""
        raise NotImplementedError

    def alarm(self, record: CallRecord, paid: Decimal, reserved: Decimal) -> None:
        """A call cost more than its proven bound."""
        raise NotImplementedError

    def warn(self, body: dict[str, Any]) -> None:
        """Most of a limit is used up (`scope`, `name`, `limit`, `spent`, `share`)."""
        raise NotImplementedError
