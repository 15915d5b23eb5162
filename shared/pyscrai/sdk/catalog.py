"""Getting a scenario into the catalog, and finding there what a user means."""

from __future__ import annotations

import difflib
from collections.abc import AsyncIterator

from pyscrai.client.api import Api
from pyscrai.client.errors import Conflict, InvalidRequest, NotFound
from pyscrai.contract.templates import Template, TemplateType
from pyscrai.sdk.errors import ScenarioNotFound
from pyscrai.sdk.scenario import Scenario
from pyscrai.sdk.shipped import shipped_scenarios


async def publish(api: Api, scenario: Scenario) -> Template:
    """The catalog's version of this document: the one that is there, else a new one.

    Raises ScenarioError with file and line for each objection of the API.
    """
    content = scenario.content()
    try:
        try:
            return await api.create_template("scenarios", content, name=scenario.name)
        except Conflict:
            # The name is taken, or archived: a document that says the same stays the version that it is.
            return await api.update_template("scenarios", scenario.name, content)
    except InvalidRequest as error:
        if not error.errors:
            raise
        raise scenario.located(error.errors) from error


async def in_catalog(api: Api, name: str) -> Template:
    """A scenario by id, `name` or `name@version`. Raises ScenarioNotFound with the names there are."""
    bare, _, version = name.partition("@")
    try:
        return await api.template("scenarios", bare, int(version) if version.isdigit() else None)
    except NotFound:
        known = {item.name for item in (await api.templates("scenarios")).items}
        near = difflib.get_close_matches(bare, known | set(shipped_scenarios()), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        listed = ", ".join(sorted(known)) or "none yet"
        raise ScenarioNotFound(f"the catalog has no scenario {name!r}; it has: {listed}{hint}") from None


async def in_catalog_of(api: Api, kind: TemplateType, name: str, version: int | None = None) -> Template:
    """A template of any type, also as `name@version`. Raises ScenarioNotFound with the names there are."""
    bare, _, number = name.partition("@")
    wanted = version if version is not None else int(number) if number.isdigit() else None
    try:
        return await api.template(kind, bare, wanted)
    except NotFound:
        known = sorted([one.name async for one in all_templates(api, kind)])
        near = difflib.get_close_matches(bare, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ScenarioNotFound(f"{kind} has no {name!r}; it has: {', '.join(known) or 'none yet'}{hint}") from None


async def all_templates(api: Api, kind: TemplateType) -> AsyncIterator[Template]:
    """Every template of a type, page by page."""
    after: str | None = None
    while True:
        page = await api.templates(kind, after=after)
        for one in page.items:
            yield one
        after = page.next
        if after is None:
            return
