"""People and their keys over HTTP."""

from __future__ import annotations

from pydantic import Field, SecretStr

from pyscrai.contract.wire import Wire

NAME = r"^[a-z0-9]{1,32}$"


class NewUser(Wire):
    """POST /users."""

    name: str = Field(pattern=NAME)


class User(Wire):
    """Somebody with a token of their own; what they make is theirs by this name."""

    name: str
    created_by: str
    created_at: str


class AddedUser(User):
    """The answer to a new user; the token is shown only here."""

    token: str = Field(repr=False)


class Me(Wire):
    """GET /users/me. `admin`: the holder of the installation's token, or anybody on this machine where there is none.

    `pools`: which private pools one's engines and runs may name; None: any.
    """

    name: str
    admin: bool
    pools: str | None = None


class NewKey(Wire):
    """PUT /keys/{provider}. `base_url` is for `openai-like` only: the server that the key is for."""

    key: SecretStr = Field(min_length=1, max_length=4096)
    base_url: str | None = Field(default=None, max_length=500)


class StoredKey(Wire):
    """That there is a key, and since when; nothing of the key."""

    provider: str
    base_url: str | None = None
    set_at: str
