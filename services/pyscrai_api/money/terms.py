"""What the installation says about money, read once when the service starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pyscrai.domain.choices import Price
from pyscrai_api.money.prices import read_prices
from pyscrai_api.money.provider_limits import read_providers
from pyscrai_api.money.providers import Providers
from pyscrai_api.money.purses import WiderLimits
from pyscrai_api.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Terms:
    """Declared prices by model, the limits that hold where nobody set others, and the model providers."""

    prices: Mapping[str, Price] = field(default_factory=dict)
    wider: WiderLimits = field(default_factory=WiderLimits)
    providers: Providers = field(default_factory=Providers)

    @classmethod
    def of(cls, settings: Settings) -> Terms:
        """Raises StartupError where a file that is named cannot be used."""
        return cls(
            prices=read_prices(settings.prices),
            wider=WiderLimits(
                day=settings.day_limit, week=settings.week_limit, installation=settings.installation_limit
            ),
            providers=Providers(read_providers(settings.providers)),
        )
