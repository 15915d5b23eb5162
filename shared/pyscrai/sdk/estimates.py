"""What a run would come to, before it begins."""

from __future__ import annotations

from pyscrai.client.api import Api
from pyscrai.contract.estimates import Estimate, NewEstimate
from pyscrai.domain.choices import Choices
from pyscrai.domain.model_names import UnknownModel, parse
from pyscrai.domain.scenario import Seat, Voice
from pyscrai.sdk.catalog import in_catalog
from pyscrai.sdk.scenario import Scenario


async def estimate_of(api: Api, scenario: Scenario | str, choices: Choices) -> Estimate:
    """The estimate for a document, which is not put into the catalog for that, or for the catalog's by id or name.

    Raises ScenarioNotFound, and what starting the run would raise.
    """
    if isinstance(scenario, Scenario):
        return await api.estimate(NewEstimate(content=scenario.content(), choices=choices))
    template = await in_catalog(api, scenario)
    return await api.estimate(NewEstimate(scenario=template.id, version=template.version, choices=choices))


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
