"""What a model costs: the run's declared prices, the installation's, then the published ones of `genai-prices`.

A price that nobody knows is None, and the call is refused: a guess would make the limit a guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

import yaml
from pydantic import TypeAdapter, ValidationError

from pyscrai.domain.choices import Price
from pyscrai.domain.model_names import UnknownModel, parse
from pyscrai_api.errors import StartupError

FREE = Price(input=Decimal(0), output=Decimal(0))
FREE_AT_OPENROUTER = ":free"
"""How the names of models end that OpenRouter serves for nothing; not all of them are in the published list."""
_PUBLISHED_AS = {"gemini": "google"}
"""Providers that `genai-prices` calls by another name than we do."""
_PROBE_TOKENS = 1_000_000
_DECLARED = TypeAdapter(dict[str, Price])


def read_prices(path: Path | None) -> dict[str, Price]:
    """The installation's declared prices: a YAML mapping model → {input, output}, US dollars per million tokens.

    Raises StartupError naming the file and what is wrong in it.
    """
    if path is None:
        return {}
    try:
        found = yaml.load(path.read_text(), Loader=yaml.BaseLoader)  # plain text, so that no price becomes a float
        return {canonical_name(name): price for name, price in _DECLARED.validate_python(found or {}).items()}
    except OSError as error:
        raise StartupError(f"cannot read the prices in {path}: {error.strerror}") from None
    except (yaml.YAMLError, ValidationError) as error:
        raise StartupError(f"the prices in {path} cannot be used: {error}") from None


def canonical_name(model: str) -> str:
    """The canonical id of a model, or the name itself where it says none."""
    try:
        return str(parse(model))
    except UnknownModel:
        return model


def price_of(model: str, declared: Mapping[str, Price], installation: Mapping[str, Price]) -> Price | None:
    """The price of a model in US dollars per million tokens; None where nobody knows it.

    `declared` are a run's own prices; both mappings may use any name that says the same model, or the beginning of one
    and a `*`, as in `ollama:*`. The model's own name goes before a beginning, a long beginning before a short one.
    """
    name = canonical_name(model)
    for prices in (declared, installation):
        if (price := _declared(model, name, prices)) is not None:
            return price
    return _published(name)


def _declared(model: str, name: str, prices: Mapping[str, Price]) -> Price | None:
    beginnings: list[tuple[int, Price]] = []
    for given, price in prices.items():
        said = canonical_name(given)
        if given == model or said == name:
            return price
        if said.endswith("*") and name.startswith(said[:-1]):
            beginnings.append((len(said), price))
    return max(beginnings, key=lambda found: found[0])[1] if beginnings else None


@lru_cache(maxsize=4096)
def _published(name: str) -> Price | None:
    try:
        ref = parse(name)
    except UnknownModel:
        return None
    if ref.free:
        return FREE
    if ref.provider == "openrouter" and ref.model.endswith(FREE_AT_OPENROUTER):
        return FREE
    from genai_prices import Usage, calc_price

    try:
        # Priced by the million: what the provider charges per token at the largest usual size of a request.
        found = calc_price(
            Usage(input_tokens=_PROBE_TOKENS, output_tokens=_PROBE_TOKENS),
            model_ref=ref.model,
            provider_id=_PUBLISHED_AS.get(ref.provider, ref.provider),
        )
    except LookupError:
        return None
    return Price(input=found.input_price, output=found.output_price)


def how_to_declare(model: str) -> str:
    """What to tell a person whose model has no known price."""
    return (
        f"no price is known for the model {model}, so its cost cannot be limited. Declare one in US dollars per "
        f"million tokens: `--price '{model}=INPUT,OUTPUT'` on the command line, `choices.prices` in the request, "
        "or the file that PYSCRAI_PRICES names."
    )
