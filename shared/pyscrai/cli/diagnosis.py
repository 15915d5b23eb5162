"""What `doctor` can see without a database or an API: Python, packages, programs, folders, settings, keys."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pyscrai.cli.options import Where
from pyscrai.domain.errors import PyScrAIError

State = Literal["ok", "warn", "fail"]
OLDEST_PYTHON = (3, 11)
EXTRAS = {
    "api": ("fastapi", "uvicorn", "sqlmodel", "asyncpg", "alembic"),
    "engine": ("agno", "anthropic", "openai"),
}
KEYS = {
    "OPENAI_API_KEY": "openai:NAME and gpt-…",
    "ANTHROPIC_API_KEY": "anthropic:NAME and claude-…",
    "GEMINI_API_KEY": "gemini:NAME and gemini-…",
    "GROQ_API_KEY": "groq:NAME",
    "OPENROUTER_API_KEY": "openrouter:VENDOR/NAME and VENDOR/NAME",
    "PYSCRAI_MODEL_API_KEY": "https://HOST/v1#NAME, where that server asks for one",
}
FREE_BYTES = 200 * 2**20


@dataclass(frozen=True, kw_only=True)
class Line:
    """One thing looked at. `todo` says what to do where it is not ok."""

    name: str
    state: State
    detail: str
    todo: str = ""


def local_lines(where: Where, environ: Mapping[str, str] = os.environ) -> list[Line]:
    """One line for each thing on this machine."""
    looks: list[Callable[[], Line]] = [
        _python,
        *(lambda extra=extra: _extra(extra) for extra in EXTRAS),
        lambda: _data(where),
        lambda: _programs(where, environ),
        _templates,
        lambda: _keys(environ),
        lambda: _prices(environ),
        lambda: _local(environ),
    ]
    return [look() for look in looks]


def _python() -> Line:
    told = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < OLDEST_PYTHON:
        return Line(name="Python", state="fail", detail=told, todo="PyScrAI needs Python 3.11 or newer.")
    return Line(name="Python", state="ok", detail=f"{told} ({sys.executable})")


def _extra(extra: str) -> Line:
    missing = [name for name in EXTRAS[extra] if find_spec(name) is None]
    name = f"Packages: {extra}"
    if missing:
        what = "API service" if extra == "api" else "engines"
        todo = f"To run the {what} here: pip install 'pyscrai[{extra}]'. Not needed for a remote API."
        return Line(name=name, state="warn", detail=f"missing: {', '.join(missing)}", todo=todo)
    return Line(name=name, state="ok", detail=", ".join(f"{package} {_version(package)}" for package in EXTRAS[extra]))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "?"


def _data(where: Where) -> Line:
    from pyscrai.machine.files import data_home, private_folder

    try:
        folder = private_folder(where.data) if where.data else data_home()
        free = shutil.disk_usage(folder).free
    except (PyScrAIError, OSError) as error:
        return Line(name="Data folder", state="fail", detail=str(error), todo="Choose another with PYSCRAI_DATA.")
    detail = f"{folder}, {free / 2**30:.1f} GB free"
    if free < FREE_BYTES:
        return Line(
            name="Data folder", state="warn", detail=detail, todo="Make room: the database needs space to grow."
        )
    return Line(name="Data folder", state="ok", detail=detail)


def _programs(where: Where, environ: Mapping[str, str]) -> Line:
    """PostgreSQL's programs; not needed where a database is named."""
    from pyscrai.embedded.binaries import find_binaries

    url = where.database_url or environ.get("PYSCRAI_DATABASE_URL")
    if url:
        parts = urlsplit(url)
        place = f"{parts.hostname or 'local'}{f':{parts.port}' if parts.port else ''}{parts.path}"
        return Line(name="PostgreSQL", state="ok", detail=f"the one at {place} (PYSCRAI_DATABASE_URL)")
    try:
        found = find_binaries(environ.get("PYSCRAI_PG_BIN"))
    except PyScrAIError as error:
        first, _, rest = str(error).partition("\n")
        return Line(name="PostgreSQL", state="fail", detail=first, todo=rest)
    source = "from the wheel" if found.bundled else "of this machine"
    return Line(name="PostgreSQL", state="ok", detail=f"{found.version} {source} ({found.bin})")


def _templates() -> Line:
    from pyscrai.sdk.shipped import shipped_scenarios, templates_home

    found = shipped_scenarios()
    if not found:
        todo = "Name the folder with scenarios/ in PYSCRAI_TEMPLATES."
        return Line(name="Examples", state="warn", detail="no example scenario is found", todo=todo)
    return Line(name="Examples", state="ok", detail=f"{', '.join(found)} ({templates_home()})")


def _keys(environ: Mapping[str, str]) -> Line:
    """Only names: a key is never shown."""
    from pyscrai.llm import MissingKey
    from pyscrai.llm.keys import find_key

    try:
        present = [name for name in KEYS if find_key(name, environ)]
    except MissingKey as error:
        return Line(name="Model keys", state="fail", detail=error.message, todo="Correct PYSCRAI_KEYS.")
    if not present:
        listed = "\n".join(f"- {name}: {use}" for name, use in KEYS.items())
        todo = f"None is needed to play with the rehearsal model. For a model of a provider, set its key:\n{listed}"
        return Line(name="Model keys", state="warn", detail="none is set", todo=todo)
    return Line(name="Model keys", state="ok", detail=f"set: {', '.join(present)}")


def _prices(environ: Mapping[str, str]) -> Line:
    published = "published prices of genai-prices" if find_spec("genai_prices") else ""
    named = environ.get("PYSCRAI_PRICES")
    if named and not Path(named).is_file():
        return Line(name="Prices", state="fail", detail=f"{named} is no file", todo="Correct PYSCRAI_PRICES.")
    known = [f"declared in {named}" if named else "", f"{published} {_version('genai-prices')}" if published else ""]
    detail = " and ".join(part for part in known if part)
    if not detail:
        todo = "Priced models are refused: pip install 'pyscrai[api]', or declare prices in PYSCRAI_PRICES."
        return Line(name="Prices", state="warn", detail="none are known here", todo=todo)
    return Line(name="Prices", state="ok", detail=detail)


def _local(environ: Mapping[str, str]) -> Line:
    """Whether `--model local` can be asked here; most never want to, so it is a remark and no warning."""
    from pyscrai.local.plan import plan_from
    from pyscrai.local.weights import RUNTIME, SETTING, check_runtime

    try:
        check_runtime()
        plan = plan_from(environ)
    except PyScrAIError as error:
        state: State = "fail" if environ.get(SETTING) else "ok"
        return Line(name="Local model", state=state, detail="not set up; only --model local needs it", todo=str(error))
    return Line(name="Local model", state="ok", detail=f"{Path(plan.weights).name} with {RUNTIME} {_version(RUNTIME)}")
