"""The examples that come with PyScrAI: found by the setting, else in the checkout, else in the package."""

from __future__ import annotations

import os
from pathlib import Path

import pyscrai


def templates_home() -> Path | None:
    """The folder with `scenarios/` and `agents/`: PYSCRAI_TEMPLATES, the checkout's, the package's; None: nowhere."""
    setting = os.environ.get("PYSCRAI_TEMPLATES")
    package = Path(pyscrai.__file__).resolve().parent
    places = (
        [Path(setting).expanduser()] if setting else [package.parents[1] / "templates", package / "_data/templates"]
    )
    return next((place for place in places if (place / "scenarios").is_dir()), None)


def shipped_scenarios() -> dict[str, Path]:
    """Name → file or folder of each example."""
    home = templates_home()
    if home is None:
        return {}
    found = sorted((home / "scenarios").iterdir())
    return {
        path.stem if path.is_file() else path.name: path
        for path in found
        if path.is_dir() or path.suffix in (".yaml", ".yml", ".json")
    }
