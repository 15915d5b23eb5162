"""Our prices say what the published list says: property by property, for every model of text that we can call."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from genai_prices import Usage
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelInfo, ModelPrice, Provider, TieredPrices, TimeOfDateConstraint

from pyscrai.domain.choices import Price
from pyscrai.domain.model_names import ModelRef, UnknownModel, parse
from pyscrai.domain.money import UNIT, cost, upper_bound
from pyscrai_api.money.prices import look_up
from pyscrai_api.money.published import list_version, published

ON = date(2026, 11, 20)
PROVIDERS = {
    "openai": "openai",
    "anthropic": "anthropic",
    "google": "gemini",
    "groq": "groq",
    "openrouter": "openrouter",
}
TEXT = {"input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", "output_reasoning_mtok", "requests_kcount"}


def listed() -> Iterator[tuple[Provider, ModelInfo, Price]]:
    """Every model of the list that we can call by name and that has a price."""
    for provider in get_snapshot().providers:
        for model in provider.models if provider.id in PROVIDERS else ():
            price = published(ModelRef(PROVIDERS[provider.id], model.id), ON)
            if price is not None and provider.find_model(model.id) is model:
                yield provider, model, price


MODELS = list(listed())


def usages(price: Price, chance: random.Random) -> Iterator[dict[str, int]]:
    """Random tokens, on both sides of every tier."""
    edges = [above + step for tier in price.tiers for above in (tier.above,) for step in (0, 1)]
    for read in (*edges, chance.randrange(1, 400_000), chance.randrange(1, 5_000)):
        written = chance.randrange(0, 20_000)
        cached = chance.randrange(0, read)
        yield {
            "input_tokens": read,
            "output_tokens": written,
            "cached_tokens": cached,
            "cache_write_tokens": chance.randrange(0, read - cached),
            "reasoning_tokens": chance.randrange(0, written + 1),
        }


def theirs(model: ModelInfo, provider: Provider, usage: dict[str, int], at: datetime) -> Decimal:
    told = Usage(
        input_tokens=usage["input_tokens"],
        output_tokens=usage["output_tokens"],
        cache_read_tokens=usage["cached_tokens"],
        cache_write_tokens=usage["cache_write_tokens"],
        output_reasoning_tokens=usage["reasoning_tokens"],
    )
    return model.calc_price(told, provider, genai_request_timestamp=at).total_price


def tokens(usage: dict[str, int]) -> dict[str, Any]:
    return {key: value for key, value in usage.items() if key not in ("input_tokens", "output_tokens")}


def rounded(model: ModelInfo) -> bool:
    """Whether the list has a rate with more decimals than we keep."""
    price = model.get_prices(datetime.combine(ON, time(0), UTC))
    values = [value for key, value in price.__dict__.items() if key in TEXT and value is not None]
    rates = [
        rate for v in values for rate in ([v.base, *(t.price for t in v.tiers)] if isinstance(v, TieredPrices) else [v])
    ]
    return any(rate != rate.quantize(UNIT) for rate in rates)


def test_there_is_much_to_compare() -> None:
    assert len(MODELS) > 900
    assert {provider.id for provider, _, _ in MODELS} == set(PROVIDERS)
    assert sum(bool(price.tiers) for _, _, price in MODELS) > 20


def test_what_we_charge_is_what_the_list_charges() -> None:
    chance = random.Random(4)
    noon = datetime.combine(ON, time(12), UTC)
    for provider, model, price in MODELS:
        for usage in usages(price, chance):
            ours = cost(usage["input_tokens"], usage["output_tokens"], price, **tokens(usage))
            exact = theirs(model, provider, usage, noon)
            most = Decimal(sum(usage.values())) / 1_000_000 * UNIT if rounded(model) else Decimal(0)
            assert abs(ours - exact) <= UNIT / 2 + most, (provider.id, model.id, usage, ours, exact)


def test_no_usage_within_the_bounds_costs_more_than_its_reservation() -> None:
    chance = random.Random(5)
    noon = datetime.combine(ON, time(12), UTC)
    for provider, model, price in MODELS:
        for usage in usages(price, chance):
            bound = upper_bound(usage["input_tokens"], usage["output_tokens"], price)
            assert theirs(model, provider, usage, noon) <= bound, (provider.id, model.id, usage)


def by_the_hour() -> list[tuple[Provider, ModelInfo]]:
    return [
        (provider, model)
        for provider in get_snapshot().providers
        for model in provider.models
        if not isinstance(model.prices, ModelPrice)
        and any(isinstance(each.constraint, TimeOfDateConstraint) for each in model.prices)
    ]


def test_a_price_that_changes_with_the_hour_is_taken_at_its_dearest() -> None:
    chance = random.Random(6)
    found = [(p, m) for p, m in by_the_hour() if p.id == "deepseek"]
    assert found
    for provider, model in found:
        price = published(parse(f"https://api.deepseek.com/v1#{model.id}"), ON)
        assert price is not None
        moments = [datetime.combine(ON, time(0), UTC) + timedelta(minutes=10 * n) for n in range(144)]
        for usage in usages(price, chance):
            ours = cost(usage["input_tokens"], usage["output_tokens"], price, **tokens(usage))
            assert ours >= max(theirs(model, provider, usage, at) for at in moments) - UNIT


def test_a_price_is_that_of_its_day() -> None:
    dated = next(
        (provider, model, model.prices[-1])
        for provider, model, _ in MODELS
        if isinstance(model.prices, list) and len({str(each.prices) for each in model.prices}) > 1
        and getattr(model.prices[-1].constraint, "start_date", None) is not None
    )  # fmt: skip
    provider, model, last = dated
    begins = last.constraint.start_date  # type: ignore[union-attr]
    name = f"{PROVIDERS[provider.id]}:{model.id}"
    before, after = look_up(name, {}, {}, begins - timedelta(days=1)), look_up(name, {}, {}, begins)
    assert before is not None
    assert after is not None
    assert before.price != after.price
    assert (after.source, after.dated) == ("published", begins)
    assert after.price.source == f"{list_version()}, {begins}"


@pytest.mark.parametrize(
    "model",
    [
        "openai:text-embedding-3-small",
        "openai:whisper-1",
        "openai:moderation",
        "openrouter:perplexity/sonar-deep-research",
        "openai:gpt-4o-search-preview",
        "https://me--own.modal.run/v1#moonshotai/Kimi-K2.5",
    ],
)
def test_what_the_list_does_not_wholly_price_is_unknown(model: str) -> None:
    assert published(parse(model), ON) is None


def test_a_request_may_cost_money_by_itself() -> None:
    price = published(parse("https://api.perplexity.ai#sonar"), ON)
    assert price is not None
    assert price.request == Decimal("0.012")
    assert upper_bound(0, 0, price) == Decimal("0.012")


def test_a_name_that_says_no_model_has_no_price() -> None:
    with pytest.raises(UnknownModel):
        parse("no such name")
    assert look_up("no such name", {}, {}) is None
