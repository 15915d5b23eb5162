"""Whose key a call shows to its provider, and so in which bucket it counts.

Providers count by key: where somebody's own key is worn out, nobody else has to wait. An engine of the installation
shows the key that who pays keeps here, else the installation's; a person's engine never shows the installation's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

from pyscrai.domain.model_keys import slot_of
from pyscrai.domain.model_names import parse
from pyscrai_api.access import LOCAL_OWNER
from pyscrai_api.database import Connection
from pyscrai_api.money.provider_limits import bucket, provider_of

_HOLDERS = """
SELECT (SELECT owner FROM engines WHERE id = $1) AS engine_of,
  ARRAY(SELECT variable FROM model_keys WHERE owner = $2 AND variable = ANY($3::text[])) AS kept
"""


async def buckets(conn: Connection, models: Iterable[str], owner: str, engine_id: UUID) -> Mapping[str, str]:
    """Model → bucket, of those that a provider answers; `owner` pays for them, and the engine asks."""
    providers = {model: name for model in sorted(set(models)) if (name := provider_of(model)) is not None}
    if not providers:
        return {}
    slots = {model: slot_of(parse(model)) for model in providers}
    wanted = sorted({slot for slot in slots.values() if slot is not None})
    row = await conn.fetchrow(_HOLDERS, engine_id, owner, wanted)
    assert row is not None
    if row["engine_of"] not in (None, LOCAL_OWNER):
        return {model: bucket(name, row["engine_of"]) for model, name in providers.items()}
    return {model: bucket(name, owner if slots[model] in row["kept"] else None) for model, name in providers.items()}
