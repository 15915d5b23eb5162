"""`pyscrai run`: play a scenario and watch it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from pyscrai.cli.options import Engines, Where, common, limit, pass_talk, place
from pyscrai.cli.talk import Talk

if TYPE_CHECKING:
    from pyscrai.domain.choices import Choices
    from pyscrai.sdk.scenario import Scenario

EPILOG = """\b
Examples:
  pyscrai run negotiation                                an example, without a key
  pyscrai run my/scenario.yaml --model gpt-4o-mini --limit 0.50
  pyscrai run negotiation --seat regulator.model=gpt-4o --turns 5 --seed 7
  pyscrai run negotiation --json | jq -r .log_digest

\b
Without an API (--api-url, PYSCRAI_API_URL, or a running `pyscrai up`) it starts
PostgreSQL, an API and engines for this run, and ends them with it.
Ctrl-C pauses the run and says how to resume it; a second one quits at once.
"""


class Seating(click.ParamType[Any]):
    """NAME.model=…: what a seat, `narrator` or `analyst` gets in this run."""

    name = "NAME.KEY=VALUE"
    keys = ("model", "temperature", "max_tokens", "instructions")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        place, equals, text = str(value).partition("=")
        seat, _, key = place.rpartition(".")
        if not equals or not seat or key not in self.keys:
            self.fail(f"{value!r}: write NAME.KEY=VALUE, with KEY one of {', '.join(self.keys)}", param, ctx)
        return seat, key, text


class Priced(click.ParamType[Any]):
    """MODEL=IN,OUT in US dollars per million tokens."""

    name = "MODEL=IN,OUT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from pyscrai.sdk.choices import dollars

        model, equals, prices = str(value).rpartition("=")
        read, comma, written = prices.partition(",")
        if not equals or not model or not comma:
            self.fail(f"{value!r}: write MODEL=IN,OUT, in US dollars per million tokens", param, ctx)
        try:
            return model, (dollars(read), dollars(written))
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command(epilog=EPILOG)
@click.argument("scenario", metavar="FILE_OR_NAME")
@click.option("--model", metavar="MODEL", help="For every seat, narrator and analyst; `rehearsal` needs no key.")
@click.option("--turns", "--end-turn", "turns", type=click.IntRange(1, 10_000), help="How many turns to play.")
@click.option("--seed", type=click.IntRange(0, 2**53 - 1), help="Decides all chance in the run (0).")
@limit
@click.option("--price", "prices", type=Priced(), multiple=True, help="Declare a price, per million tokens.")
@click.option("--seat", "seats", type=Seating(), multiple=True, help="model, temperature, max_tokens, instructions.")
@click.option("--engines", type=Engines(), default="actor=1,narrator=1,analyst=1", help="Engines to start.")
@click.option("--title", help="A title for this run.")
@click.option("--thoughts/--no-thoughts", default=True, help="Show what the seats think.")
@place
@common
@pass_talk
def run(
    talk: Talk,
    /,
    scenario: str,
    where: Where,
    engines: Mapping[str, int],
    thoughts: bool,
    **options: Any,
) -> int:
    """Play a scenario and watch it. FILE_OR_NAME is a file, a folder, a shipped example, or a name in the catalog."""
    from pyscrai.cli.scenarios import find_scenario, remarks
    from pyscrai.cli.session import run_async

    found = find_scenario(scenario)
    if not isinstance(found, str):
        remarks(found, scenario, talk)
    choices = _choices(**options)
    return run_async(lambda: _play(talk, found, scenario, choices, where, engines, thoughts))


def _choices(*, turns: int | None, limit: Any, model: str | None, seats: Any, prices: Any, **others: Any) -> Choices:
    """Raises BadParameter where a seat's value makes no sense."""
    from pydantic import ValidationError

    from pyscrai.domain import model_names
    from pyscrai.sdk.choices import choices_of

    by_seat: dict[str, dict[str, str]] = {}
    for seat, key, value in seats:
        by_seat.setdefault(seat, {})[key] = value
    for name in [model, *(choice.get("model") for choice in by_seat.values())]:
        if name is not None:
            model_names.parse(name)
    try:
        return choices_of(end_turn=turns, credit_limit=limit, model=model, seats=by_seat, prices=dict(prices), **others)
    except ValidationError as error:
        first = error.errors()[0]
        raise click.BadParameter(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


async def _play(
    talk: Talk,
    scenario: Scenario | str,
    source: str,
    choices: Choices,
    where: Where,
    engines: Mapping[str, int],
    thoughts: bool,
) -> int:
    from pyscrai.cli.session import session, warn_without_engines
    from pyscrai.cli.watching import DEFAULT_MODEL, Watch, watch
    from pyscrai.sdk.runner import start

    async with session(where, talk, engines=engines) as at:
        started = await start(at.api, scenario, choices, pool=at.place.pool)
        await warn_without_engines(at, talk)
        how = Watch(
            pause=True,
            thoughts=thoughts,
            source=source,
            default_model=os.environ.get("PYSCRAI_DEFAULT_MODEL") or DEFAULT_MODEL,
        )
        return await watch(started, at, talk, how)
