"""The catalog's writing side, made when it is first used: importing SQLModel costs half a second of every start."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from pyscrai_api import database
from pyscrai_api.settings import Settings

if TYPE_CHECKING:
    from pyscrai_api.catalog.templates import Templates


class Catalog:
    """Owns the small SQLAlchemy engine; `close` when done."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def templates(self) -> Templates:
        from pyscrai_api.catalog.templates import Templates

        settings = self._settings
        return Templates(database.engine(settings.database_url, statement_cache=settings.statement_cache))

    async def close(self) -> None:
        if "templates" in self.__dict__:
            await self.templates.close()
