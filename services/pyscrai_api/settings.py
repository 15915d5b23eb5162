"""The settings of the API service: option = environment variable = keyword argument.

Read once at the entry point (`Settings.read`) and passed down whole; nothing else looks at the environment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal, InvalidOperation
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
MOST_DOLLARS = 10**10
"""What the database can hold."""


class BadSetting(ValueError):
    """A setting whose value makes no sense; the message names the option and the variable."""


def _hosts(text: str) -> tuple[str, ...]:
    return tuple(name.strip().lower() for name in text.split(",") if name.strip())


def _limit(text: str) -> Decimal | None:
    if text.strip().lower() == "none":
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError("an amount of US dollars such as 0.25, or `none`") from None
    if not value.is_finite() or not 0 <= value < MOST_DOLLARS:
        raise ValueError("an amount of US dollars, 0 or more, or `none`")
    return value


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 65535:
        raise ValueError("a port between 0 and 65535 (0 takes a free one)")
    return value


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise ValueError("a number above 0")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError("a whole number, 1 or more")
    return value


def _count_or_none(text: str) -> int | None:
    if text.strip().lower() == "none":
        return None
    try:
        return _count(text)
    except ValueError:
        raise ValueError("a whole number, 1 or more, or `none`") from None


def _fair_by(text: str) -> str:
    if text.lower() not in ("run", "owner"):
        raise ValueError("run or owner")
    return text.lower()


def _natural(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError("a whole number, 0 or more")
    return value


def _level(text: str) -> str:
    if text.lower() not in ("debug", "info", "warning", "error"):
        raise ValueError("one of debug, info, warning, error")
    return text.lower()


def _option(env: str, text: str, parse: Callable[[str], Any] = str) -> dict[str, Any]:
    return {"env": env, "help": text, "parse": parse}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that can be set. `default_limit` None: a priced model without a limit is refused; `runs_at_once` None:
    as many as people start; `most_queued` None: as many events as people post."""

    database_url: str = field(
        default="",
        repr=False,
        metadata=_option("PYSCRAI_DATABASE_URL", "PostgreSQL, as postgresql://user:password@host/name"),
    )
    listen_url: str | None = field(
        default=None,
        repr=False,
        metadata=_option(
            "PYSCRAI_LISTEN_URL", "a direct connection for LISTEN, where the other goes through PgBouncer"
        ),
    )
    data: Path | None = field(default=None, metadata=_option("PYSCRAI_DATA", "data folder", Path))
    host: str = field(default="127.0.0.1", metadata=_option("PYSCRAI_HOST", "address to listen on"))
    port: int = field(default=8000, metadata=_option("PYSCRAI_PORT", "port to listen on; 0 takes a free one", _port))
    token: str | None = field(
        default=None, repr=False, metadata=_option("PYSCRAI_TOKEN", "the token that callers must show")
    )
    secret: str | None = field(
        default=None,
        repr=False,
        # No option: what a program was called with is in the machine's list of processes.
        metadata={**_option("PYSCRAI_SECRET", "encrypts people's keys; former ones behind commas"), "option": False},
    )
    allowed_hosts: tuple[str, ...] = field(
        default=(),
        metadata=_option("PYSCRAI_ALLOWED_HOSTS", "further names that this service is called by, with commas", _hosts),
    )
    default_limit: Decimal | None = field(
        default=Decimal("1.00"),
        metadata=_option(
            "PYSCRAI_DEFAULT_LIMIT", "limit of a run in US dollars where none is given, or `none`", _limit
        ),
    )
    day_limit: Decimal | None = field(
        default=None,
        metadata=_option("PYSCRAI_DAY_LIMIT", "limit of a person's day in US dollars, or `none`", _limit),
    )
    week_limit: Decimal | None = field(
        default=None,
        metadata=_option("PYSCRAI_WEEK_LIMIT", "limit of a person's week in US dollars, or `none`", _limit),
    )
    installation_limit: Decimal | None = field(
        default=None,
        metadata=_option("PYSCRAI_INSTALLATION_LIMIT", "limit of everything in US dollars, or `none`", _limit),
    )
    runs_at_once: int | None = field(
        default=3,
        metadata=_option("PYSCRAI_RUNS_AT_ONCE", "runs of one person that play at once, or `none`", _count_or_none),
    )
    fair_by: Literal["run", "owner"] = field(
        default="run",
        metadata=_option("PYSCRAI_FAIR_BY", "what shares a lane evenly: every run, or every owner of runs", _fair_by),
    )
    most_queued: int | None = field(
        default=1_000_000,
        metadata=_option(
            "PYSCRAI_MOST_QUEUED",
            "events that wait in a lane before producers are told to wait, or `none`",
            _count_or_none,
        ),
    )
    default_model: str = field(
        default="rehearsal", metadata=_option("PYSCRAI_DEFAULT_MODEL", "model where none is named")
    )
    prices: Path | None = field(
        default=None, metadata=_option("PYSCRAI_PRICES", "file with declared prices of models", Path)
    )
    providers: Path | None = field(
        default=None, metadata=_option("PYSCRAI_PROVIDERS", "file with limits of model providers", Path)
    )
    seed: Path | None = field(
        default=None, metadata=_option("PYSCRAI_SEED", "folder with the seeded event types", Path)
    )
    log_level: str = field(
        default="info", metadata=_option("PYSCRAI_LOG_LEVEL", "debug, info, warning or error", _level)
    )
    pool_size: int = field(default=12, metadata=_option("PYSCRAI_POOL_SIZE", "connections to the database", _count))
    statement_cache: int = field(
        default=500,
        metadata=_option("PYSCRAI_STATEMENT_CACHE", "prepared statements per connection; 0 behind PgBouncer", _natural),
    )
    statement_timeout: float = field(
        default=30.0, metadata=_option("PYSCRAI_STATEMENT_TIMEOUT", "seconds a statement may take", _positive)
    )
    retry_base: float = field(
        default=30.0,
        metadata=_option(
            "PYSCRAI_RETRY_BASE", "seconds before the first retry of a failed event, then doubled", _positive
        ),
    )
    retention_days: float = field(
        default=30.0,
        metadata=_option("PYSCRAI_RETENTION_DAYS", "days that ended events without a run are kept", _positive),
    )
    cache_days: float = field(
        default=30.0,
        metadata=_option("PYSCRAI_CACHE_DAYS", "days that answers in the cache are kept", _positive),
    )
    grace: float = field(
        default=10.0,
        metadata=_option("PYSCRAI_GRACE", "seconds that requests get to end when the service stops", _positive),
    )
    document_limit: int = field(
        default=1_000_000, metadata=_option("PYSCRAI_DOCUMENT_LIMIT", "bytes of a document", _count)
    )
    batch_limit: int = field(
        default=16_000_000, metadata=_option("PYSCRAI_BATCH_LIMIT", "bytes of a batch of events or outcomes", _count)
    )

    @classmethod
    def read(cls, environment: Mapping[str, str], **given: str | None) -> Settings:
        """The settings from given texts, else the environment, else the defaults.

        Raises BadSetting, naming the option.
        """
        values: dict[str, Any] = {}
        for item in fields(cls):
            text = given.get(item.name)
            if text is None:
                text = environment.get(item.metadata["env"]) or None
            if text is not None:
                values[item.name] = _parse(item.name, item.metadata, text)
        return cls(**values)

    @property
    def on_loopback(self) -> bool:
        return is_loopback(self.host)


def _parse(name: str, metadata: Mapping[str, Any], text: str) -> Any:
    try:
        return metadata["parse"](text)
    except ValueError as error:
        option = "--" + name.replace("_", "-")
        raise BadSetting(f"{option} ({metadata['env']}): {text!r} is not usable: {error}") from None


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a service that listens on `host`."""
    if host.lower() in LOOPBACK_NAMES:
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
