"""What a run would come to, before it begins."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from pyscrai.client.api import Api
from pyscrai.contract.estimates import Estimate, NewEstimate
from pyscrai.domain.choices import Choices
from pyscrai.domain.model_names import UnknownModel, parse
from pyscrai.domain.scenario import Scenario as Document
from pyscrai.domain.scenario import Seat, Voice
from pyscrai.domain.sweeps import Sweep, variations
from pyscrai.sdk.catalog import in_catalog
from pyscrai.sdk.scenario import Scenario

MOST_ASKED = 12
"""Variations of a sweep that are estimated; of more, so many at equal distances."""


async def estimate_of(api: Api, scenario: Scenario | str, choices: Choices) -> Estimate:
    """The estimate for a document, which is not put into the catalog for that, or for the catalog's by id or name.

    Raises ScenarioNotFound, and what starting the run would raise.
    """
    if isinstance(scenario, Scenario):
        return await api.estimate(NewEstimate(content=scenario.content(), choices=choices))
    template = await in_catalog(api, scenario)
    return await api.estimate(NewEstimate(scenario=template.id, version=template.version, choices=choices))


@dataclass(frozen=True, kw_only=True)
class SweepEstimate:
    """What all runs of a sweep come to: US dollars, ranges added up as if all went the same way. `asked`: how many of
    its variations were estimated; the others count as their mean."""

    runs: int
    variations: int
    asked: int
    low: Decimal
    expected: Decimal
    high: Decimal


async def estimate_of_sweep(api: Api, sweep: Sweep, scenario: Scenario | str) -> SweepEstimate | None:
    """None where no model of it costs anything. Raises InvalidSweep, and what `estimate_of` raises."""
    if isinstance(scenario, Scenario):
        document = scenario.document
    else:
        document = Document.model_validate((await in_catalog(api, scenario)).content)
    told = variations(sweep, document)
    step = -(-len(told) // MOST_ASKED)
    found = [await estimate_of(api, scenario, one.choices) for one in told[::step]]
    if all(one.at_most is None for one in found):
        return None
    runs = len(told) * len(sweep.all_seeds()) * sweep.repetitions
    times = Decimal(runs) / len(found)
    return SweepEstimate(
        runs=runs,
        variations=len(told),
        asked=len(found),
        low=times * sum((one.cost.low for one in found), Decimal(0)),
        expected=times * sum((one.cost.expected for one in found), Decimal(0)),
        high=times * sum((one.cost.high for one in found), Decimal(0)),
    )


def may_cost(scenario: Scenario | str, choices: Choices, default_model: str | None) -> bool:
    """Whether some model of a run may cost something; of the catalog's scenarios only the API knows."""
    if isinstance(scenario, str):
        return True
    document = scenario.document
    declared: list[tuple[str, Seat | Voice]] = [
        *document.seats.items(),
        ("narrator", document.narrator),
        ("analyst", document.analyst),
    ]
    models = []
    for who, part in declared:
        chosen = choices.seats.get(who)
        models.append((chosen.model if chosen else None) or choices.model or part.model or default_model)
    return any(model is not None and not _free(model) for model in models)


def _free(model: str) -> bool:
    try:
        return parse(model).free
    except UnknownModel:
        return False
