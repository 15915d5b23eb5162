"""What models cost: by every provider's own name, by declaration, and nothing where nobody knows."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from pyscrai.domain.choices import Price, Tier
from pyscrai_api.errors import StartupError
from pyscrai_api.money.prices import look_up, price_of, read_prices


def price(read: str, written: str, cached: str | None = None, kept: str | None = None) -> Price:
    return Price(
        input=Decimal(read),
        output=Decimal(written),
        cached_input=None if cached is None else Decimal(cached),
        cache_write=None if kept is None else Decimal(kept),
    )


def known(model: str, declared: dict[str, Price], installation: dict[str, Price]) -> Price | None:
    """What a model costs, wherever that is from."""
    found = price_of(model, declared, installation)
    return None if found is None else found.model_copy(update={"source": None})


FREE = price("0", "0")


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-4o-mini", price("0.15", "0.6", "0.075")),
        ("claude-3-haiku", price("0.25", "1.25", "0.03", "0.3")),
        ("anthropic:claude-3-5-sonnet-20241022", price("3", "15", "0.3", "3.75")),
        ("openai/gpt-4o-mini", price("0.15", "0.6", "0.075")),
        ("anthropic/claude-3-haiku", price("0.25", "1.25")),
    ],
)
def test_the_names_of_the_seeds_have_published_prices(model: str, expected: Price) -> None:
    assert known(model, {}, {}) == expected


@pytest.mark.parametrize("model", ["gemini-1.5-pro", "google:gemini-2.5-flash", "groq:llama-3.1-8b-instant"])
def test_each_provider_is_known_to_the_published_list(model: str) -> None:
    found = known(model, {}, {})
    assert found is not None
    assert found.input > 0


@pytest.mark.parametrize("model", ["meta-llama/llama-3.1-8b-instruct:free", "alibaba/tongyi-deepresearch-30b-a3b:free"])
def test_what_openrouter_calls_free_is_free_by_name(model: str) -> None:
    assert known(model, {}, {}) == FREE


@pytest.mark.parametrize(
    "model",
    [
        "claude-9",
        "gemini:gemini-9-pro",
        "openrouter/auto",
        "openai/gpt-4o:online",
        "openai:gpt-4o-mini:free",
        "ollama/llama3.2",
        "http://127.0.0.1:8080/v1#tiny",
        "local/tiny",
        "no such name",
    ],
)
def test_what_nobody_knows_has_no_price(model: str) -> None:
    assert known(model, {}, {}) is None


def test_a_declared_beginning_stands_for_all_models_of_a_server() -> None:
    declared = {"ollama:*": FREE, "http://127.0.0.1:8080/v1#*": price("1", "2")}
    assert known("ollama/llama3.2:3b", declared, {}) == FREE
    assert known("http://127.0.0.1:8080/v1#tiny", declared, {}) == price("1", "2")
    assert known("http://127.0.0.1:8081/v1#tiny", declared, {}) is None
    assert known("gpt-4o-mini", declared, {}) == price("0.15", "0.6", "0.075")
    assert known("ollama/llama3.2:3b", {"ollama/*": FREE}, {}) == FREE


def test_the_nearest_declaration_counts() -> None:
    declared = {"ollama:*": FREE, "ollama:big-*": price("3", "3"), "ollama:big-one": price("4", "4")}
    assert known("ollama:big-one", declared, {}) == price("4", "4")
    assert known("ollama:big-two", declared, {}) == price("3", "3")
    assert known("ollama:small", declared, {}) == FREE
    assert known("ollama:small", {}, {"ollama:small": price("5", "5")}) == price("5", "5")
    assert known("ollama:small", {"ollama:*": FREE}, {"ollama:small": price("5", "5")}) == FREE


def test_the_installations_file_takes_the_same_names(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text('"ollama/*": {input: 0, output: 0}\nclaude-9: {input: "1.10", output: "2"}\n')
    prices = read_prices(path)
    assert known("ollama:x", {}, prices) == FREE
    assert known("anthropic:claude-9", {}, prices) == price("1.10", "2")


def test_a_price_says_where_it_is_from() -> None:
    declared, installation = {"ollama:*": FREE}, {"claude-9": price("1", "2")}
    sources = {
        model: found.source
        for model in ("ollama:x", "claude-9", "gpt-4o-mini", "rehearsal")
        if (found := look_up(model, declared, installation)) is not None
    }
    assert sources == {"ollama:x": "run", "claude-9": "installation", "gpt-4o-mini": "published", "rehearsal": "free"}
    assert price_of("claude-9", {}, installation) == price("1", "2").model_copy(update={"source": "installation"})


def test_a_whole_price_survives_its_json() -> None:
    """As `calls.price` keeps it, from the reservation to the settlement."""
    whole = Price(
        input=Decimal("1.5"),
        output=Decimal(6),
        cached_input=Decimal("0.15"),
        reasoning=Decimal("7"),
        request=Decimal("0.005"),
        tiers=(Tier(input=Decimal(3), output=Decimal(12), above=200_000),),
        source="run",
    )
    text = whole.model_dump_json(exclude_defaults=True)
    assert text == (
        '{"input":"1.5","output":"6","cached_input":"0.15","reasoning":"7","request":"0.005",'
        '"tiers":[{"input":"3","output":"12","above":200000}],"source":"run"}'
    )
    assert Price.model_validate_json(text) == whole


PRICES = """\
gpt-4o: {input: 2.5, output: 10, cached_input: 1.25, request: 0.001}
"ollama:*": {input: 0, output: 0}
big:
  input: 3
  output: 15
  tiers:
    - {above: 200000, input: 6, output: 22.5}
"""


def test_a_declared_price_may_be_a_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(PRICES)
    prices = read_prices(path)
    assert prices["openai:gpt-4o"].cached_input == Decimal("1.25")
    assert prices["openai:gpt-4o"].request == Decimal("0.001")
    assert prices["big"].tiers[0] == Tier(above=200_000, input=Decimal(6), output=Decimal("22.5"))


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("gpt-4o:\n  input: 1\n  output: cheap\n", "3:11", "gpt-4o, output: "),
        ("gpt-4o:\n  input: 1\n", "2:3", "gpt-4o, output: field required"),
        ("gpt-4o:\n  input: 1\n  output: -2\n", "3:11", "greater than or equal to 0"),
        ("gpt-4o: {input: 1, output: 2, cached: 1}\n", "1:39", "gpt-4o, cached: extra"),
        ("gpt-4o: 2.50\n", "1:9", "gpt-4o: write model: {input"),
        ("- gpt-4o\n", "1:1", "write a mapping"),
        ("gpt-4o: {input: 1, output: 2, source: me}\n", "1:9", "gpt-4o, source: the system says"),
        ("gpt-4o: {input: 1, output: 2}\nopenai:gpt-4o: {input: 1, output: 3}\n", "2:1", "a price already, in line 1"),
        ("m: {input: 1, output: 2, tiers: [{above: x, input: 1, output: 1}]}\n", "1:42", "m, tiers.0.above: "),
        ("m: {input: 1, output: 2, tiers: [{above: 2, input: 1, output: 1}, {above: 1, input: 1, output: 1}]}\n",
         "1:4", "m: value error, tiers"),
        ("m: {input: 1,\n", "", "cannot be read"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_installations_file_has_its_line_and_field(
    tmp_path: Path, text: str, place: str, words: str
) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(text)
    with pytest.raises(StartupError) as mistake:
        read_prices(path)
    message = str(mistake.value)
    assert (f"{path}:{place}: " if place else str(path)) in message
    assert words in message


def test_every_mistake_of_the_file_is_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text("a: {input: x, output: 1}\nb: {input: 1}\n")
    with pytest.raises(StartupError, match=r"(?s):1:12: a, input.*:2:4: b, output"):
        read_prices(path)


def test_a_file_that_is_not_there_or_is_empty(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="cannot read the prices"):
        read_prices(tmp_path / "none.yaml")
    (tmp_path / "empty.yaml").write_text("# nothing yet\n")
    assert read_prices(tmp_path / "empty.yaml") == {}
