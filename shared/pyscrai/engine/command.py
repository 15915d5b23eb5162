"""The command line of an engine: option = environment variable = field of EngineSettings."""

from __future__ import annotations

import sys
from typing import Any

import click
import uvloop

from pyscrai.engine.errors import CannotStart
from pyscrai.engine.handler import Plain
from pyscrai.engine.settings import EngineSettings
from pyscrai.machine.ending import collect_rarely, end_quickly

_POSITIVE = click.FloatRange(min=0, min_open=True)
_LEVELS = click.Choice(["debug", "info", "warning", "error"], case_sensitive=False)


def _option(name: str, variable: str, kind: click.ParamType[Any] | type, default: Any, text: str) -> click.Option:
    """An option whose field in EngineSettings is the variable's name."""
    field = variable.removeprefix("PYSCRAI_").lower()
    return click.Option(
        [f"--{name}", field],
        envvar=variable,
        type=kind,
        default=default,
        help=text,
        show_default=default is not None,
        show_envvar=True,
    )


def _options(concurrency: int) -> list[click.Parameter]:
    slots, port = click.IntRange(1, 10_000), click.IntRange(0, 65535)
    return [
        _option("api-url", "PYSCRAI_API_URL", str, "http://127.0.0.1:8000", "Where the API is."),
        _option("token", "PYSCRAI_TOKEN", str, None, "The installation's token, where one is set."),
        _option("pool", "PYSCRAI_POOL", str, None, "Work only for the runs of this pool."),
        _option("concurrency", "PYSCRAI_CONCURRENCY", slots, concurrency, "Events worked on at once."),
        _option("lease-seconds", "PYSCRAI_LEASE_SECONDS", _POSITIVE, 20.0, "Silence after which others take over."),
        _option("heartbeat-seconds", "PYSCRAI_HEARTBEAT_SECONDS", _POSITIVE, 5.0, "How often leases are renewed."),
        _option(
            "grace-seconds",
            "PYSCRAI_GRACE_SECONDS",
            click.FloatRange(min=0),
            20.0,
            "How long model calls may still take after the first signal; a second one stops at once.",
        ),
        _option("call-seconds", "PYSCRAI_CALL_SECONDS", _POSITIVE, 120.0, "How long one model call may take."),
        _option("host", "PYSCRAI_HEALTH_HOST", str, "127.0.0.1", "Where health and metrics are served."),
        _option("port", "PYSCRAI_HEALTH_PORT", port, 0, "Port of /healthz, /readyz, /metrics; 0 takes a free one."),
        _option("log-level", "PYSCRAI_LOG_LEVEL", _LEVELS, "info", "What is logged, as JSON lines on stderr."),
    ]


def engine_command(engine_type: str, plain: Plain, *, text: str, concurrency: int = 16) -> click.Command:
    """The command that runs an engine of this type; `plain` reads events without a prompt."""

    def run(**options: Any) -> None:
        end_quickly()
        collect_rarely()
        try:
            settings = EngineSettings(engine_type=engine_type, **options)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        sys.exit(serve(settings, plain))

    return click.Command(
        name=engine_type,
        callback=run,
        params=_options(concurrency),
        help=text,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )


def serve(settings: EngineSettings, plain: Plain) -> int:
    """Run an engine in this process until it is asked to stop; answers the exit code."""
    try:
        return uvloop.run(_serve(settings, plain))
    except CannotStart as error:
        raise click.ClickException(str(error)) from error


async def _serve(settings: EngineSettings, plain: Plain) -> int:
    from pyscrai.client.engine import EngineApi
    from pyscrai.client.http import Http
    from pyscrai.engine.handler import Handler
    from pyscrai.engine.logging import capture_standard_logging, make_logger
    from pyscrai.engine.models import ask, close, warm_up
    from pyscrai.engine.runtime import Engine
    from pyscrai.engine.stopping import stop_on_signals

    log = make_logger(settings.log_level, service=f"pyscrai_{settings.engine_type}")
    capture_standard_logging(log)
    async with Http(settings.api_url, token=settings.token) as http:
        handler = Handler(plain=plain, ask=ask, call_seconds=settings.call_seconds)
        engine = Engine(settings, api=EngineApi(http), handler=handler, warm_up=warm_up, log=log)
        with stop_on_signals(engine.stop):
            code = await engine.run()
        await close()
        return code
