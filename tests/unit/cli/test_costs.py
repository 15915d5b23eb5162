"""Costs and prices as a person reads them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import httpx
import pytest
from tests.unit.cli.conftest import Sheet
from tests.unit.cli.recorded import NEGOTIATION, negotiation, run
from tests.unit.sdk.fake_api import FakeApi, page

from pyscrai.cli import bills
from pyscrai.cli.main import run_command
from pyscrai.cli.talk import Talk
from pyscrai.client.api import Api
from pyscrai.client.http import Http
from pyscrai.contract.costs import CostLine, Costs, ModelPriceInfo, RunCosts
from pyscrai.domain.choices import Price, Tier
from pyscrai.sdk.place import Place


def line(key: str, cost: str, **more: Any) -> CostLine:
    values = {"key": key, "cost": cost, "reserved": "0", "assumed_cost": "0", "calls": 2, **more}
    return CostLine.model_validate({"input_tokens": 1200, "output_tokens": 300, **values})


COSTS = RunCosts(
    run_id="r",
    spent=Decimal("0.0123"),
    limit=Decimal(1),
    total=line("", "0.0123", calls=5, assumed=1, assumed_cost="0.002", open=1, reserved="0.004", replayed=2),
    by={
        "seat": [line("regulator", "0.0103"), line("narrator", "0.002", calls=1, assumed=1, assumed_cost="0.002")],
        "turn": [line("1", "0.0123", open=1, reserved="0.004", replayed=2)],
    },
)
PRICES = [
    ModelPriceInfo(
        asked="gpt-4o",
        model="openai:gpt-4o",
        source="published",
        version="genai-prices 0.2.3",
        dated="2026-11-20",
        price=Price(
            input=Decimal("2.50"),
            output=Decimal(10),
            cached_input=Decimal("1.25"),
            tiers=(Tier(above=200_000, input=Decimal(5), output=Decimal(20)),),
        ),
    ),
    ModelPriceInfo(
        asked="m", model="m", source="run", price=Price(input=Decimal(0), output=Decimal(0), request=Decimal("0.005"))
    ),
    ModelPriceInfo(asked="ollama/x", model="ollama:x", source="unknown", how_to_declare="Declare one: --price …"),
]


def test_a_table_has_a_bar_for_each_and_no_empty_columns() -> None:
    sheet = Sheet(100)
    bills.run_costs(sheet.paper, "negotiation/run-003", COSTS)
    rows = [row.rstrip() for row in sheet.text.splitlines()]
    assert rows[0].startswith("━━ negotiation/run-003: $0.012 of $1.00, 5 model calls ━")
    assert rows[2:5] == [
        "seat       calls     in  out  free  assumed  reserved     cost",
        f"regulator      2  1,200  300     0                      $0.010  {'█' * 20}",
        f"narrator       1  1,200  300     0  $0.0020            $0.0020  {'█' * 4}",
    ]
    assert rows[-3:] == [
        "1 call charged at the upper bound, because nobody knows what was used.",
        "1 call under way, with $0.0040 put aside.",
        "2 answers from a recording or the cache, for nothing.",
    ]


def test_no_line_is_wider_than_a_usual_terminal() -> None:
    sheet = Sheet(80)
    bills.run_costs(sheet.paper, "negotiation/run-003", COSTS)
    bills.price_table(sheet.paper, PRICES)
    assert max(len(row.rstrip()) for row in sheet.text.splitlines()) <= 80


def test_free_calls_draw_no_bars() -> None:
    sheet = Sheet(100)
    bills.cost_table(sheet.paper, "seat", [line("a", "0")], line("", "0"))
    assert "█" not in sheet.text
    assert "free" not in sheet.text


def test_prices_have_their_tiers_and_say_who_says_so() -> None:
    sheet = Sheet(100)
    bills.price_table(sheet.paper, PRICES)
    assert [row.rstrip() for row in sheet.text.splitlines()] == [
        "US dollars per million tokens; published: genai-prices 0.2.3",
        "model             input  output  cached input  request  from",
        "openai:gpt-4o       2.5      10          1.25        0  published, 2026-11-20",
        "above 200,000 in      5      20",
        "m                     0       0                  0.005  declared by the run",
        "",
        "Declare one: --price …",
    ]


class MoneyApi(FakeApi):
    """With the routes of money."""

    def _routes(self) -> list[Any]:
        lines = [line("2026-11-20", "0.5"), line("2026-11-19", "0.25")]
        spent = Costs(by="day", since="2026-10-21", owner=None, total=line("", "0.75", calls=4), lines=lines, more=True)
        return [
            ("GET", "/runs/[^/]+/costs", lambda *_: httpx.Response(200, json=COSTS.model_dump(mode="json"))),
            ("GET", "/costs", lambda *_: httpx.Response(200, json=spent.model_dump(mode="json"))),
            ("GET", "/prices", self._prices),
            *super()._routes(),
        ]

    def _prices(self, request: httpx.Request, *_: Any) -> httpx.Response:
        asked = request.url.params.get_list("model")
        return page([info.model_dump(mode="json") for info in PRICES if info.asked in asked])


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    fake = MoneyApi(run(), negotiation(), NEGOTIATION)
    monkeypatch.setattr(Place, "api", lambda place: Api(Http(place.api_url, transport=fake.transport)))
    monkeypatch.setenv("COLUMNS", "90")

    def call(*args: str) -> tuple[int, str, str]:
        code = run_command([*args, "--api-url", "http://api.test"], Talk())
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_runs_costs(command: Any) -> None:
    code, out, _ = command("runs", "costs", "last")
    assert code == 0
    assert "frontier-rules/run-003: $0.012 of $1.00" in out
    code, out, _ = command("runs", "costs", "last", "--by", "seat", "--json")
    assert code == 0
    assert json.loads(out)["total"]["cost"] == "0.0123"
    code, _, err = command("runs", "costs", "last", "--by", "mood")
    assert code == 2
    assert "mood" in err


def test_costs_of_an_installation(command: Any) -> None:
    code, out, _ = command("costs")
    assert code == 0
    assert "Since 2026-10-21 (everybody): $0.75, 4 model calls" in out
    assert "There is more" in out
    assert command("costs", "--since", "yesterday")[0] == 2


def test_prices(command: Any) -> None:
    code, out, _ = command("prices", "gpt-4o", "ollama/x")
    assert code == 0
    assert "genai-prices 0.2.3" in out
    assert "Declare one" in out
    code, out, _ = command("prices", "gpt-4o", "--json")
    assert json.loads(out)[0]["price"]["tiers"][0]["above"] == 200_000
    code, _, err = command("prices")
    assert code == 0
    assert "No prices are declared" in err
