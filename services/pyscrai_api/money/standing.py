"""Where one limit stands, and how a person is told that it does not leave enough."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_CEILING, Decimal

from pyscrai.contract.runs import Trouble

CENTS_OF_CENTS = Decimal("0.0001")


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """One limit as one account sees it: `taken` by all, and what is `free` for this account.

    `scope`: run, events, group, day, week or installation. `period`: the day, or the Monday of the week.
    """

    scope: str
    limit: Decimal
    taken: Decimal
    free: Decimal
    name: str = ""
    period: date | None = None

    @property
    def title(self) -> str:
        """As in 'the limit of $5 …'."""
        return {
            "run": "",
            "events": " for events without a run",
            "group": f" for the group {self.name}",
            "day": " for this day",
            "week": " for this week",
            "installation": " for the whole installation",
        }[self.scope]

    @property
    def until(self) -> date | None:
        """The day (UTC) on which it starts anew; None if never."""
        return None if self.period is None else anew_on(self.scope, self.period)

    def needed(self, need: Decimal) -> Decimal:
        """The limit with which a call fits that may cost `need`."""
        return self.limit - self.free + need

    def refusal(self, need: Decimal) -> str:
        """In one line, why a call is not allowed now."""
        free = max(self.free, Decimal(0))
        return f"the call may cost {need:f} USD, and {free:f} of the limit of {self.limit:f}{self.title} are free"


def anew_on(scope: str, period: date) -> date | None:
    """The first day after a period of a limit; None for one that holds for ever."""
    days = {"day": 1, "week": 7}.get(scope)
    return None if days is None else period + timedelta(days=days)


def tightest(standings: list[Standing]) -> Standing | None:
    """The limit that leaves least; of several, the first."""
    return min(standings, key=lambda standing: standing.free) if standings else None


def trouble(standing: Standing, need: Decimal) -> Trouble:
    """Out of money: which limit, what is free of it, and what would be needed."""
    needed = standing.needed(need)
    free = max(standing.free, Decimal(0))
    enough = f"With a limit of ${_rounded_up(needed):f} or more"
    if standing.scope == "run":
        message = (
            f"the limit of ${standing.limit:.4f} is reached: ${standing.taken:.4f} is spent, and the next call "
            f"may cost ${need:.4f}. {enough} the run goes on at exactly that call."
        )
    else:
        anew = "" if standing.until is None else f", or on {standing.until.isoformat()} (UTC), when it starts anew,"
        message = (
            f"the limit of ${standing.limit:.4f}{standing.title} leaves ${free:.4f}, and the next call may cost "
            f"${need:.4f}. {enough}{anew} the run goes on at exactly that call."
        )
    return Trouble(
        code="out_of_money",
        message=message,
        needed=needed,
        scope=standing.scope,
        name=standing.name or None,
        free=free,
    )


def _rounded_up(amount: Decimal) -> Decimal:
    """To what a person types: a limit that is rounded down would not be enough."""
    return amount.quantize(CENTS_OF_CENTS, ROUND_CEILING)
