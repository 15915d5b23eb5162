"""`pyscrai mock-provider`: declares the options of that service, and becomes it; it is never imported here."""

from __future__ import annotations

import os
from typing import Any

import click
from click.core import ParameterSource

from pyscrai.cli.options import common
from pyscrai.cli.services import become
from pyscrai.cli.talk import Talk

HELP = """Serve OpenAI's protocol with made-up answers, latency and faults, and keep a bill.

Costs nothing and needs no key. Answers fit any JSON Schema, or come from a script.
"""
EPILOG = """\b
Examples:
  pyscrai mock-provider
  pyscrai mock-provider --port 0 --json
  pyscrai mock-provider --latency lognormal:0.8,0.6 --length-median 120
  pyscrai mock-provider --fault rate_limit=0.1 --fault dropped=0.05 --seed 7
  pyscrai mock-provider --faults passing --price 0.15,0.6,0.075
"""
_SECONDS = click.FloatRange(min=0)


def _option(variable: str, text: str, kind: Any = str, default: Any = None, **more: Any) -> click.Option:
    """The option whose environment variable this is."""
    name = "--" + variable.removeprefix("PYSCRAI_MOCK_").lower().replace("_", "-")
    shown = default is not None and default is not False
    return click.Option([name], type=kind, default=default, envvar=variable, help=text, show_default=shown, **more)


OPTIONS: list[click.Parameter] = [
    _option("PYSCRAI_MOCK_PORT", "Port to listen on; 0 takes a free one.", click.IntRange(0, 65535), 8100),
    _option("PYSCRAI_MOCK_HOST", "Address to listen on.", str, "127.0.0.1"),
    _option("PYSCRAI_MOCK_SEED", "What is drawn is drawn from this.", int, 0),
    _option("PYSCRAI_MOCK_SCRIPT", "Answers and faults from a YAML file.", metavar="FILE"),
    _option(
        "PYSCRAI_MOCK_PRICE",
        "US dollars per million tokens.",
        str,
        "0.15,0.6",
        metavar="IN,OUT[,CACHED,WRITE,REQUEST,THOUGHT]",
    ),
    _option("PYSCRAI_MOCK_LATENCY", "Seconds, or lognormal:MEDIAN,SIGMA.", str, "0", metavar="SPREAD"),
    _option(
        "PYSCRAI_MOCK_LENGTH_MEDIAN",
        "Tokens that half of the answers stay below.",
        click.FloatRange(min=1),
        metavar="TOKENS",
    ),
    _option("PYSCRAI_MOCK_LENGTH_SIGMA", "How far their lengths spread.", _SECONDS, 0.5, metavar="SIGMA"),
    _option("PYSCRAI_MOCK_REASONING", "Tokens thought, or lognormal:MEDIAN,SIGMA.", str, "0", metavar="SPREAD"),
    _option(
        "PYSCRAI_MOCK_CACHED_SHARE", "Part of a request that counts as read from a cache.", str, "0", metavar="SHARE"
    ),
    _option("PYSCRAI_MOCK_CACHE_WRITE_SHARE", "Part that counts as written to it.", str, "0", metavar="SHARE"),
    _option(
        "PYSCRAI_MOCK_FAULT", "A fault and how often it comes; as often as wanted.", metavar="NAME=RATE", multiple=True
    ),
    _option("PYSCRAI_MOCK_FAULTS", "A small rate for each of them.", click.Choice(["all", "passing"])),
    _option("PYSCRAI_MOCK_RETRY_AFTER", "Seconds that 429 and 529 ask for.", _SECONDS, 1.0, metavar="SECONDS"),
    _option(
        "PYSCRAI_MOCK_RATE_LIMIT", "Requests a minute; 429 beyond.", click.FloatRange(min=0, min_open=True), metavar="N"
    ),
    _option("PYSCRAI_MOCK_CONCURRENCY", "Requests at once; 429 beyond.", click.IntRange(min=1), metavar="N"),
    _option("PYSCRAI_MOCK_KEY", "The key that callers have to show.", metavar="KEY"),
    _option("PYSCRAI_MOCK_ECHO_KEY", "Repeat the key in errors and answers.", bool, False, is_flag=True),
]


@click.pass_context
def _run(ctx: click.Context, /, **options: Any) -> None:
    words: list[str] = []
    for name, value in options.items():
        if ctx.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            continue
        if name == "key":
            # Who lists processes reads their words, but not their environment.
            os.environ["PYSCRAI_MOCK_KEY"] = value
            continue
        option = "--" + name.replace("_", "-")
        values = value if isinstance(value, tuple) else [value]
        words += [option] if value is True else [f"{option}={each}" for each in values]
    if ctx.ensure_object(Talk).json:
        words.append("--json")
    become("pyscrai_mock_provider", words)


mock_provider = click.command("mock-provider", params=[*OPTIONS], help=HELP, epilog=EPILOG)(common(_run))
