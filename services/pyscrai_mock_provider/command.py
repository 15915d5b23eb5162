"""The command line of the mock provider; its options are declared with those of `pyscrai mock-provider`."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Any

import click

from pyscrai.cli.mock_provider import EPILOG, HELP, OPTIONS
from pyscrai_mock_provider.settings import BadSetting, read_settings

NEEDED = ("starlette", "uvicorn", "httptools")


def _run(as_json: bool, **options: Any) -> None:
    try:
        settings = read_settings(**options)
    except BadSetting as error:
        raise click.UsageError(str(error)) from None
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise click.ClickException(f"{missing[0]} is not installed: pip install 'pyscrai[api]'")

    from pyscrai_mock_provider.serve import serve

    sys.exit(serve(settings, as_json=as_json))


main = click.Command(
    name="mock-provider",
    callback=_run,
    params=[*OPTIONS, click.Option(["--json", "as_json"], is_flag=True, help="The ready line as JSON.")],
    help=HELP,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
