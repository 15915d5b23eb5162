"""What holds a token or a password does not show it when it is printed, as a traceback or a debugger does."""

from __future__ import annotations

import pytest

from pyscrai.cli.options import Where
from pyscrai.contract.engines import Registered
from pyscrai.contract.events import Claimed
from pyscrai.contract.people import AddedUser, NewKey
from pyscrai.engine.settings import EngineSettings
from pyscrai.llm.addresses import Address
from pyscrai.local.connection import Endpoint
from pyscrai.sdk.place import Place
from pyscrai_api.settings import Settings

SECRET = "plant-0123456789abcdef"
URL = f"postgresql://me:{SECRET}@localhost/db"
HOLDERS = [
    Where(api_url=None, token=SECRET, database_url=URL, data=None),
    Registered.model_construct(id="1", token=SECRET),
    Claimed.model_construct(id=1, key=SECRET),
    AddedUser.model_construct(name="a", token=SECRET),
    NewKey.model_validate({"key": SECRET}),
    EngineSettings(engine_type="actor", api_url="http://localhost", token=SECRET),
    Address("http://localhost", SECRET),
    Endpoint("http://localhost", SECRET),
    Place(api_url="http://localhost", token=SECRET),
    Settings(database_url=URL, listen_url=URL, token=SECRET, secret=SECRET),
]


@pytest.mark.parametrize("holder", HOLDERS, ids=lambda holder: type(holder).__name__)
def test_a_secret_is_not_shown(holder: object) -> None:
    assert SECRET not in f"{holder!r} {holder}"
