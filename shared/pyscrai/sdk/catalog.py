"""Getting a scenario into the catalog, and finding there what a user means."""

from __future__ import annotations

import difflib

from pyscrai.client.api import Api
from pyscrai.client.errors import Conflict, InvalidRequest, NotFound
from pyscrai.contract.templates import Template
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
