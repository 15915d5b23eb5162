"""What models cost, told to a person: the price, who says so, and what to do where nobody does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from pyscrai.contract.costs import ModelPriceInfo
from pyscrai.domain.choices import Choices, Price
from pyscrai_api.database import Pool
from pyscrai_api.money.names import canonical_name
from pyscrai_api.money.prices import how_to_declare, look_up
from pyscrai_api.money.published import list_version

_CHOICES = "SELECT choices FROM runs WHERE id = $1"


async def about_prices(
    pool: Pool, models: Sequence[str], run_id: UUID | None, installation: Mapping[str, Price]
) -> list[ModelPriceInfo]:
    """Of each model asked for, in order; of none: everything that the run or the installation has declared."""
    declared: Mapping[str, Price] = {}
    if run_id is not None:
        declared = Choices.model_validate_json(await pool.fetchval(_CHOICES, run_id)).prices
    return [_about(name, declared, installation) for name in models or [*declared, *installation]]


def _about(asked: str, declared: Mapping[str, Price], installation: Mapping[str, Price]) -> ModelPriceInfo:
    name = canonical_name(asked)
    found = look_up(asked, declared, installation)
    if found is None:
        return ModelPriceInfo(asked=asked, model=name, source="unknown", how_to_declare=how_to_declare(asked))
    return ModelPriceInfo(
        asked=asked,
        model=name,
        source=found.source,
        price=found.price,
        version=None if found.dated is None else list_version(),
        dated=None if found.dated is None else found.dated.isoformat(),
    )
