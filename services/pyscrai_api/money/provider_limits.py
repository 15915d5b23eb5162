"""What an installation may ask of each model provider: a file of limits, and whose limits a model's calls count in."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pyscrai.domain.model_names import FREE, PROVIDERS, UnknownModel, parse
from pyscrai_api.errors import StartupError
from pyscrai_api.money.rates import Rate

OTHERS = "*"
LIKE_OPENAI = "openai-like"
LONGEST_TIMEOUT = 3600.0
MOST = 2**31 - 1


class ProviderLimits(BaseModel):
    """Limits of one provider, for all engines together; None: no limit. `timeout`: seconds that a call may take."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    concurrency: int | None = Field(default=None, ge=1, le=MOST)
    requests_per_minute: int | None = Field(default=None, ge=1, le=MOST)
    tokens_per_minute: int | None = Field(default=None, ge=1, le=MOST)
    timeout: float | None = Field(default=None, gt=0, le=LONGEST_TIMEOUT)

    @property
    def bounded(self) -> bool:
        """Whether calls have to ask for room."""
        return any((self.concurrency, self.requests_per_minute, self.tokens_per_minute))

    @property
    def requests(self) -> Rate | None:
        return None if self.requests_per_minute is None else Rate.of_requests(self.requests_per_minute)

    @property
    def tokens(self) -> Rate | None:
        return None if self.tokens_per_minute is None else Rate.of_tokens(self.tokens_per_minute)


UNLIMITED = ProviderLimits()


@dataclass(frozen=True)
class Declared:
    """The installation's limits, by the name of the provider."""

    by_name: Mapping[str, ProviderLimits] = field(default_factory=dict)

    def of(self, provider: str) -> ProviderLimits:
        """A provider's own limits, else those of all others; each bucket is filled with them anew."""
        return self.by_name.get(split(provider)[0]) or self.by_name.get(OTHERS) or UNLIMITED

    def timeout_of(self, model: str) -> float | None:
        """Seconds that a call of a model may take; None: what its engine says."""
        provider = provider_of(model)
        return None if provider is None else self.of(provider).timeout


@lru_cache(maxsize=4096)
def provider_of(model: str) -> str | None:
    """The provider that a model's calls are counted under; None for what no provider answers.

    A server that is named by its address is called by host and port.
    """
    try:
        ref = parse(model)
    except UnknownModel:
        return None
    if ref.base_url is not None:
        return urlsplit(ref.base_url).netloc.lower().rpartition("@")[2]
    return None if ref.free else ref.provider


def bucket(provider: str, holder: str | None) -> str:
    """The bucket of a provider: one for the installation's key, and one for each person whose own key is shown."""
    return provider if holder is None else f"{provider}@{holder}"


def split(name: str) -> tuple[str, str | None]:
    """The provider of a bucket, and whose key it is for; None: the installation's."""
    provider, at, holder = name.rpartition("@")
    return (provider, holder) if at else (name, None)


def read_providers(path: Path | None) -> Declared:
    """The limits in a file: a YAML mapping provider → {concurrency, requests_per_minute, tokens_per_minute, timeout}.

    Raises StartupError naming file, line and field.
    """
    if path is None:
        return Declared()
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise StartupError(f"cannot read the limits of providers in {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise StartupError(f"the limits of providers in {path} cannot be used: the file is not UTF-8") from None
    except yaml.YAMLError as error:
        raise StartupError(f"the limits of providers in {path} cannot be used: {error}") from None
    return Declared(dict(_File(path).read(root)))


@dataclass(frozen=True)
class _File:
    path: Path

    def read(self, root: yaml.Node | None) -> Iterator[tuple[str, ProviderLimits]]:
        seen: set[str] = set()
        for key, value in self._pairs(root, "a mapping of providers to their limits"):
            name = self._name(key)
            if name in seen:
                raise self._error(key, name, "stands here a second time")
            seen.add(name)
            yield name, self._limits(name, value)

    def _name(self, key: yaml.Node) -> str:
        name = str(key.value).strip().lower()
        if name in FREE:
            raise self._error(key, name, "asks no provider, and is never limited")
        if name == OTHERS or (name in PROVIDERS and name != LIKE_OPENAI):
            return name
        if "/" not in name and (name == "localhost" or "." in name or ":" in name):
            return name
        known = [each for each in PROVIDERS if each not in FREE and each != LIKE_OPENAI]
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"write one of {', '.join(known)}, a host (with :port) or *"
        raise self._error(key, name, f"is no provider: {hint}")

    def _limits(self, name: str, node: yaml.Node) -> ProviderLimits:
        nodes = {str(key.value): (key, value) for key, value in self._pairs(node, f"the limits of {name}")}
        values = {field: _plain(value) for field, (_, value) in nodes.items()}
        try:
            return ProviderLimits.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            at = str(first["loc"][0])
            if first["type"] == "extra_forbidden":
                close = difflib.get_close_matches(at, ProviderLimits.model_fields, n=1)
                told = (
                    f"did you mean {close[0]}?" if close else f"it is one of {', '.join(ProviderLimits.model_fields)}"
                )
                raise self._error(nodes[at][0], f"{name}.{at}", f"is no limit: {told}") from None
            raise self._error(nodes[at][1], f"{name}.{at}", first["msg"]) from None

    def _pairs(self, node: yaml.Node | None, what: str) -> list[tuple[yaml.Node, yaml.Node]]:
        if node is None or node.tag == "tag:yaml.org,2002:null":
            return []
        if not isinstance(node, yaml.MappingNode):
            raise self._error(node, what, "has to be a mapping")
        return list(node.value)

    def _error(self, node: yaml.Node, where: str, what: str) -> StartupError:
        return StartupError(f"{self.path}:{node.start_mark.line + 1}: {where}: {what}")


def _plain(node: yaml.Node) -> object:
    """Only plain numbers are numbers here: neither `yes` nor a list is one."""
    return node.value if isinstance(node, yaml.ScalarNode) and node.value else str(node.value or "nothing")
