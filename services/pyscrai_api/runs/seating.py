"""Other models for a run that has begun, so that a wrong one (unpriced, refused, gone) does not end it.

Who answers is no part of the story: the digest depends on what was said only, and stays that of an undisturbed run.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyscrai.contract.problems import FieldError
from pyscrai.contract.runs import Resume
from pyscrai.domain.canonical import escape
from pyscrai.domain.choices import Choices, Price, SeatChoice
from pyscrai.domain.overrides import refused
from pyscrai.domain.scenario import Scenario
from pyscrai_api.errors import Invalid
from pyscrai_api.money import waiting
from pyscrai_api.runs.locked import LockedRun
from pyscrai_api.runs.plans import Plans
from pyscrai_api.runs.start import check_money

MAY_CHANGE = ("model", "temperature", "max_tokens")
_CHOOSE = "UPDATE runs SET choices = $2, plan_version = $3 WHERE id = $1"


async def reseat(run: LockedRun, plans: Plans, wanted: Resume, installation: Mapping[str, Price]) -> bool:
    """Change the choices of a locked run as `wanted` says; returns whether anything is different now.

    Prices and limit are checked as at the start. Calls that are under way end with the model that they began with.
    Raises Invalid (with JSON Pointers), Unprocessable (`unpriced_model`, `limit_required`).
    """
    if wanted.model is None and not wanted.seats and not wanted.prices:
        return False
    plan = await plans.of(run.conn, run.id, run.plan_version)
    _check(plan.scenario, wanted.seats or {})
    choices = _merged(plan.choices, wanted)
    if choices == plan.choices:
        return False
    if forbidden := refused(plan.scenario, choices):
        errors = [FieldError(pointer=place, message=why) for place, why in forbidden]
        raise Invalid("the run cannot go on like this", errors=errors)
    check_money(plan.model_copy(update={"choices": choices}), run.limit_usd, installation, pointer="")
    log_seats(run, plan.choices, choices, list(plan.scenario.seats))
    await choose(run, choices)
    # What is held for want of money is held for what the old model would have cost.
    await waiting.release_all(run)
    return True


async def choose(run: LockedRun, choices: Choices) -> None:
    """Other choices for a locked run, from now on, in every replica."""
    run.plan_version += 1
    run.choices = choices.model_dump(mode="json")
    await run.conn.execute(_CHOOSE, run.id, choices.model_dump_json(), run.plan_version)


def _merged(now: Choices, wanted: Resume) -> Choices:
    seats = dict(now.seats)
    for who, choice in (wanted.seats or {}).items():
        changed = {key: value for key in MAY_CHANGE if (value := getattr(choice, key)) is not None}
        seats[who] = (seats.get(who) or SeatChoice()).model_copy(update=changed)
    model = now.model if wanted.model is None else wanted.model
    return now.model_copy(update={"model": model, "seats": seats, "prices": {**now.prices, **(wanted.prices or {})}})


def _check(scenario: Scenario, seats: Mapping[str, SeatChoice]) -> None:
    errors = []
    for who, choice in seats.items():
        place = f"/seats/{escape(who)}"
        if who not in scenario.seats and who not in ("narrator", "analyst"):
            known = ", ".join([*scenario.seats, "narrator", "analyst"])
            errors.append(FieldError(pointer=place, message=f"no such seat; there are {known}"))
        for key in choice.model_dump(exclude_none=True):
            if key not in MAY_CHANGE:
                message = f"a run that has begun can change {', '.join(MAY_CHANGE)} of a seat only"
                errors.append(FieldError(pointer=f"{place}/{escape(key)}", message=message))
    if errors:
        raise Invalid("the run cannot go on like this", errors=errors)


def log_seats(run: LockedRun, before: Choices, after: Choices, seats: list[str]) -> None:
    """One control line for what changed for everyone (seat null), and one for each seat with a choice of its own."""
    if after.model != before.model:
        run.log("seat_changed", {"seat": None, "model": after.model})
    for who, choice in after.seats.items():
        if choice != before.seats.get(who):
            body = {key: getattr(choice, key) for key in MAY_CHANGE}
            told = {key: value for key, value in body.items() if value is not None}
            run.log("seat_changed", {"seat": who, **told}, seat=who if who in seats else None)
