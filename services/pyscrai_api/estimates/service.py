"""Estimates over the catalog: what a run would pin is what is played on paper."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from uuid import UUID

from pyscrai.contract.estimates import CostSpread, Estimate, EstimateLine, EstimatePart, NewEstimate, Spread
from pyscrai.contract.problems import FieldError
from pyscrai.domain.choices import Price
from pyscrai.domain.errors import PolicyError
from pyscrai.domain.money import UNIT
from pyscrai.domain.plan import Plan, needed_event_types
from pyscrai.domain.scenario import Scenario
from pyscrai.domain.work import EventType, Work
from pyscrai_api.catalog import store as catalog
from pyscrai_api.catalog import validation
from pyscrai_api.database import Connection, Pool
from pyscrai_api.errors import Invalid, Unprocessable
from pyscrai_api.estimates import calibration
from pyscrai_api.estimates.answers import Manner
from pyscrai_api.estimates.costing import Bill, Part, at_most, bill
from pyscrai_api.estimates.lengths import Lengths
from pyscrai_api.estimates.playing import Play, play, remarks, variants, who_answers
from pyscrai_api.estimates.sizes import Sizes, full, largest, turns_shown
from pyscrai_api.money.prices import how_to_declare, price_of
from pyscrai_api.runs.start import as_played, check, pin_event_types

_PARTS: tuple[EstimatePart, ...] = ("seat", "phase", "model")


class Estimates:
    """`prices`: those of the installation; `default_limit`: of runs that say none."""

    def __init__(
        self, pool: Pool, prices: Mapping[str, Price], default_model: str, default_limit: Decimal | None
    ) -> None:
        self._pool = pool
        self._prices = prices
        self._default_model = default_model
        self._default_limit = default_limit

    async def estimate(self, wanted: NewEstimate, owner: str) -> Estimate:
        """What a run would come to. Raises what starting it would raise: NotFound, Invalid with JSON Pointers,
        Unprocessable (`unpriced_model`, `policy_error`)."""
        began = time.monotonic()
        async with self._pool.acquire() as conn:
            plan = await self._plan(conn, wanted, owner)
            prices = self._priced(plan)
            costly = [model for model, price in prices.items() if not price.free]
            lengths = Lengths(await calibration.seen(conn, costly) if costly else [])
        limit = plan.choices.limit
        # Playing and rendering take the processor for a while; others are served meanwhile.
        made = await asyncio.to_thread(_estimate, plan, lengths, prices)
        held = self._default_limit if limit is None else None if limit == "none" else limit
        return made.model_copy(update={"limit": held, "seconds": round(time.monotonic() - began, 3)})

    async def _plan(self, conn: Connection, wanted: NewEstimate, owner: str) -> Plan:
        scenario = await _scenario(conn, wanted, owner)
        scenario = as_played(scenario, wanted.choices)
        check(scenario, wanted.choices)
        pins = await pin_event_types(conn, needed_event_types(scenario), owner)
        event_types = {phase: await _event_type(conn, version) for phase, version in pins.items()}
        return Plan(
            scenario=scenario,
            choices=wanted.choices,
            event_types=event_types,
            pins=[],
            default_model=self._default_model,
        )

    def _priced(self, plan: Plan) -> dict[str, Price]:
        """The price of every model that may be asked. Raises Unprocessable for one that nobody knows."""
        found: dict[str, Price] = {}
        for model in {plan.seating(who).model for who in (*plan.seats, "narrator", "analyst")}:
            price = price_of(model, plan.choices.prices, self._prices)
            if price is None:
                raise Unprocessable("unpriced_model", how_to_declare(model), model=model)
            found[model] = price
        return found


async def _scenario(conn: Connection, wanted: NewEstimate, owner: str) -> Scenario:
    if wanted.content is not None:
        validation.check("scenarios", wanted.content)
        return Scenario.model_validate(wanted.content)
    if wanted.scenario is None:
        message = "name a scenario of the catalog, or send one as `content`"
        raise Invalid(message, errors=[FieldError(pointer="/scenario", message=message)])
    pin = await catalog.resolve(conn, "scenarios", wanted.scenario, wanted.version, owner=owner)
    return Scenario.model_validate(json.loads(pin.canonical))


async def _event_type(conn: Connection, version: UUID) -> EventType:
    return EventType.model_validate_json((await catalog.by_version(conn, version)).canonical)


def _estimate(plan: Plan, lengths: Lengths, prices: Mapping[str, Price]) -> Estimate:
    from pyscrai.prompting import PromptError

    try:
        return _made(plan, lengths, prices)
    except (PolicyError, PromptError) as error:
        raise Unprocessable("policy_error", f"the scenario cannot be played: {error}") from None


def _made(plan: Plan, lengths: Lengths, prices: Mapping[str, Price]) -> Estimate:
    plans, why = variants(plan)

    def usual(work: Work) -> float:
        return lengths.answer(*_asked(plan, work)).visible

    # What a policy asks does not depend on the length of answers, so these two are played with few words.
    shown = turns_shown(plan)
    expected = play(plans[Manner.USUAL], Manner.USUAL, usual, shown)
    fewest = play(plans[Manner.QUIET], Manner.QUIET, _few_words, shown[:1]) if why else expected
    most = play(plans[Manner.BUSY], Manner.BUSY, _few_words, shown[:1])
    sizes = Sizes(plan)
    sizes.learn(expected.asked)
    for other in (fewest, most):
        sizes.learn(sizes.missing(other.asked))
    middle = bill(plan, expected, sizes.of, lengths, prices)
    bottom = bill(plan, fewest, sizes.of, lengths, prices) if why else middle
    top = bill(plan, most, sizes.of, lengths, prices) if why else middle
    if not expected.whole:
        why = [*why, f"the run has more than {len(expected.asked):,} calls; the estimate ends there"]
    costly = any(not price.free for price in prices.values())
    return Estimate(
        scenario=plan.scenario.name,
        title=plan.scenario.title or plan.scenario.name,
        turns=plan.turns,
        exact=not why,
        calls=Spread(low=fewest.calls, expected=expected.calls, high=most.calls if why else expected.calls),
        again=most.again,
        input_tokens=_spread(bottom, middle, top, "input"),
        output_tokens=_spread(bottom, middle, top, "output"),
        cost=CostSpread(
            low=_dollars(min(bottom.total.cost, middle.total.cost) * Decimal(bottom.low)),
            expected=_dollars(middle.total.cost),
            high=_dollars(max(top.total.cost, middle.total.cost) * Decimal(top.high)),
        ),
        at_most=_at_most(plans[Manner.BUSY], most, sizes, prices) if costly else None,
        why=why,
        notes=remarks(plan, most.again),
        by={part: _lines(plan, part, (bottom, middle, top)) for part in _PARTS},
        calibration=[one.shown() for one in lengths.seen],
        seconds=0,
    )


def _asked(plan: Plan, work: Work) -> tuple[str, str, int]:
    """Model, event type and most tokens of the answer to this work."""
    seating = plan.seating(who_answers(work))
    return seating.model, plan.event_type(work).name, seating.max_tokens


def _few_words(_work: Work) -> float:
    return 4.0


def _at_most(plan: Plan, most: Play, sizes: Sizes, prices: Mapping[str, Price]) -> Decimal:
    """With requests as they are when everybody has said as much as a model may, for a whole window."""

    def longest(work: Work) -> float:
        return float(_asked(plan, work)[2])

    reach = full(plan)
    begun = plan.model_copy(update={"choices": plan.choices.model_copy(update={"turns": reach})})
    return at_most(plan, most, largest(plan, play(begun, Manner.BUSY, longest, range(1, reach + 1)), sizes), prices)


def _spread(bottom: Bill, middle: Bill, top: Bill, name: str) -> Spread:
    low, expected, high = (round(getattr(one.total, name)) for one in (bottom, middle, top))
    return Spread(low=min(low, expected), expected=expected, high=max(high, expected))


def _lines(plan: Plan, part: EstimatePart, bills: tuple[Bill, Bill, Bill]) -> list[EstimateLine]:
    bottom, middle, top = (one.by[part] for one in bills)
    keys = list(dict.fromkeys([*middle, *top, *bottom]))
    if part == "seat":
        order = [*plan.seats, "narrator", "analyst"]
        keys.sort(key=order.index)
    nothing = Part()
    lines = []
    for key in keys:
        here, least, most = (one.get(key, nothing) for one in (middle, bottom, top))
        lines.append(
            EstimateLine(
                key=key,
                calls=Spread(low=min(least.calls, here.calls), expected=here.calls, high=max(most.calls, here.calls)),
                input_tokens=round(here.input),
                output_tokens=round(here.output),
                cost=_dollars(here.cost),
            )
        )
    return lines


def _dollars(amount: Decimal) -> Decimal:
    return amount.quantize(UNIT, ROUND_HALF_EVEN)
