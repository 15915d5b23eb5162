"""`python -m pyscrai_api`: serve the API. Prints one line of JSON with its address on stdout when it is ready.

Exit codes: 0 stopped as asked, 1 cannot start or serve, 2 a setting makes no sense.
"""

from __future__ import annotations

import sys


def main() -> int:
    """Read the settings, then import what serving needs: `--help` and mistakes answer at once."""
    import argparse
    import os
    from dataclasses import fields

    from pyscrai.machine.ending import collect_rarely, end_quickly
    from pyscrai_api.settings import BadSetting, Settings

    end_quickly()
    collect_rarely()
    parser = argparse.ArgumentParser(prog="python -m pyscrai_api", description="Serve the PyScrAI API.")
    for item in fields(Settings):
        if not item.metadata.get("option", True):
            continue
        option = "--" + item.name.replace("_", "-")
        parser.add_argument(option, metavar="X", help=f"{item.metadata['help']} ({item.metadata['env']})")
    try:
        settings = Settings.read(os.environ, **vars(parser.parse_args()))
    except BadSetting as error:
        print(f"pyscrai_api: {error}", file=sys.stderr)  # noqa: T201
        return 2

    from pyscrai_api.serve import serve

    return serve(settings)


if __name__ == "__main__":
    sys.exit(main())
