"""People's keys of model providers: write-only for all, opened for the engine whose lease needs one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import structlog

from pyscrai.contract.people import NewKey, StoredKey
from pyscrai.contract.problems import FieldError
from pyscrai.domain.canonical import normalise
from pyscrai.domain.model_keys import VARIABLES, provider_of, slot
from pyscrai.domain.model_names import UnknownModel, parse
from pyscrai_api.database import Pool
from pyscrai_api.errors import Conflict, Invalid, NotFound, StartupError, Unauthorized
from pyscrai_api.people.errors import BadSecret, CannotOpen, KeyTrouble
from pyscrai_api.people.secret import HOW, SecretPlace
from pyscrai_api.settings import Settings

log = structlog.get_logger()

OWN_SERVER = "openai-like"
Place = tuple[str, str]
"""Whose key, and which (`model_keys.slot`)."""

_PUT = """
WITH present AS MATERIALIZED (SELECT name FROM users WHERE name = $1 FOR KEY SHARE)
INSERT INTO model_keys (owner, variable, ciphertext)
SELECT $1, $2, $3 WHERE $1 = 'local' OR EXISTS (SELECT 1 FROM present)
ON CONFLICT (owner, variable) DO UPDATE SET ciphertext = excluded.ciphertext, created_at = now()
RETURNING variable, created_at
"""
_LIST = "SELECT variable, created_at FROM model_keys WHERE owner = $1 ORDER BY variable"
_REMOVE = "DELETE FROM model_keys WHERE owner = $1 AND variable = $2 RETURNING variable"
_SOME = """
SELECT k.owner, k.variable, k.ciphertext FROM unnest($1::text[], $2::text[]) AS wanted (owner, variable)
JOIN model_keys k USING (owner, variable)
"""
_ALL = "SELECT owner, variable, ciphertext FROM model_keys ORDER BY owner, variable"
_RESEAL = "UPDATE model_keys SET ciphertext = $4 WHERE owner = $1 AND variable = $2 AND ciphertext = $3"


class Keys:
    """The keys that people keep here."""

    def __init__(self, pool: Pool, settings: Settings) -> None:
        self._pool = pool
        try:
            self._place = SecretPlace(settings)
        except BadSecret as error:
            raise StartupError(f"PYSCRAI_SECRET cannot be used: {error}; {HOW}") from None

    async def put(self, owner: str, provider: str, given: NewKey) -> StoredKey:
        """Keep a key, in place of an earlier one. Raises NotFound, Invalid; Conflict where nothing can be kept."""
        kept = _slot(provider, given.base_url)
        text = given.key.get_secret_value().strip()
        if not text or not text.isprintable() or not text.isascii():
            raise _invalid("/key", "a key is one line of printable ASCII")

        def seal() -> bytes:
            return self._place.vault(make=True).seal(text, owner, kept)

        row = await self._pool.fetchrow(_PUT, owner, kept, await asyncio.to_thread(seal))
        if row is None:  # somebody was removed while their request was under way
            raise Unauthorized("this token is not known here")
        return _shown(row)

    async def all(self, owner: str) -> list[StoredKey]:
        """Which keys an owner keeps here, and since when."""
        return [_shown(row) for row in await self._pool.fetch(_LIST, owner)]

    async def remove(self, owner: str, provider: str, base_url: str | None) -> None:
        """Forget a key. Raises NotFound."""
        kept = _slot(provider, base_url)
        if await self._pool.fetchval(_REMOVE, owner, kept) is None:
            raise NotFound(f"no key of {provider} is kept here for {owner}")

    async def some(self, places: Iterable[Place]) -> Mapping[Place, str | KeyTrouble]:
        """Those of the keys that there are, opened; what cannot be opened as the trouble it makes."""
        wanted = sorted(set(places))
        if not wanted:
            return {}
        rows = await self._pool.fetch(_SOME, [owner for owner, _ in wanted], [kept for _, kept in wanted])
        return await asyncio.to_thread(self._opened, rows) if rows else {}

    async def renew(self) -> None:
        """Seal with the present secret what is under a former one, so that the former may be forgotten."""
        if not self._place.several:
            return
        renewed = failed = 0
        for row in await self._pool.fetch(_ALL):
            try:
                new = await asyncio.to_thread(self._resealed, row)
            except (CannotOpen, Conflict):
                failed += 1
                continue
            if new is not None:
                await self._pool.execute(_RESEAL, row["owner"], row["variable"], row["ciphertext"], new)
                renewed += 1
        if renewed or failed:
            log.info("keys_renewed", renewed=renewed, cannot_be_opened=failed)

    def _resealed(self, row: Any) -> bytes | None:
        vault = self._place.vault()
        place = (row["owner"], row["variable"])
        if not vault.is_old(row["ciphertext"], *place):
            return None
        return vault.seal(vault.open(row["ciphertext"], *place), *place)

    def _opened(self, rows: Iterable[Any]) -> dict[Place, str | KeyTrouble]:
        found: dict[Place, str | KeyTrouble] = {}
        for row in rows:
            place = (row["owner"], row["variable"])
            try:
                found[place] = self._place.vault().open(row["ciphertext"], *place)
            except (CannotOpen, Conflict) as error:
                found[place] = _trouble(place, error)
        return found


def _trouble(place: Place, error: Exception) -> KeyTrouble:
    owner, kept = place
    provider, base_url = provider_of(kept)
    why = error.detail if isinstance(error, Conflict) else "it was encrypted with another PYSCRAI_SECRET"
    again = f"pyscrai keys set {provider}" + (f" --base-url {base_url}" if base_url else "")
    return KeyTrouble(
        f"the key for {provider} that {owner} keeps here cannot be opened: {why}. Start the API with the secret that "
        f"it was stored under (a former one may stand behind a comma), or store the key again ({again}); then resume"
    )


def _slot(provider: str, base_url: str | None) -> str:
    """Raises NotFound for a provider that takes no keys, Invalid for an address that is missing or makes no sense."""
    if provider not in VARIABLES:
        raise NotFound(f"no provider {provider[:60]!r} takes a key; there are {', '.join(VARIABLES)}")
    if provider != OWN_SERVER:
        if base_url is not None:
            raise _invalid("/base_url", f"only {OWN_SERVER} has an address; {provider}'s is known")
        return VARIABLES[provider]
    if base_url is None:
        raise _invalid("/base_url", "say which server the key is for: it is shown to no other")
    try:
        ref = parse(f"{base_url}#any")
    except UnknownModel as error:
        raise _invalid("/base_url", str(error)) from None
    if urlsplit(base_url).fragment or ref.base_url is None:
        raise _invalid("/base_url", "the address alone, such as https://host/v1")
    return str(normalise(slot(provider, ref.base_url)))


def _invalid(pointer: str, message: str) -> Invalid:
    return Invalid(message, errors=[FieldError(pointer=pointer, message=message)])


def _shown(row: Any) -> StoredKey:
    provider, base_url = provider_of(row["variable"])
    return StoredKey(provider=provider, base_url=base_url, set_at=row["created_at"].isoformat())
