"""Getting a scenario into the catalog, and finding there what a user means."""

from __future__ import annotations

from pyscrai.client.api import Api
from pyscrai.client.errors import Conflict, InvalidRequest, NotFound
from pyscrai.contract.templates import Template
from pyscrai.domain.canonical import canonical, normalise
from pyscrai.sdk.errors import ScenarioNotFound
from pyscrai.sdk.scenario import Scenario


async def publish(api: Api, scenario: Scenario) -> Template:
    """The catalog's version of this document: the one that is there, else a new one.

    Raises ScenarioError with file and line for each objection of the API.
    """
    content = scenario.content()
    try:
        try:
            current = await api.template("scenarios", scenario.name)
        except NotFound:
            return await _create(api, scenario)
        if current.content is not None and _same(scenario, current.content):
            return current
        return await api.update_template("scenarios", scenario.name, content)
    except InvalidRequest as error:
        if not error.errors:
            raise
        raise scenario.located(error.errors) from error


async def _create(api: Api, scenario: Scenario) -> Template:
    try:
        return await api.create_template("scenarios", scenario.content(), name=scenario.name)
    except Conflict:
        # Another command created it in between, or it is archived: then this becomes its next version.
        return await api.update_template("scenarios", scenario.name, scenario.content())


async def in_catalog(api: Api, name: str) -> Template:
    """A scenario by id, `name` or `name@version`. Raises ScenarioNotFound with the names there are."""
    bare, _, version = name.partition("@")
    try:
        return await api.template("scenarios", bare, int(version) if version.isdigit() else None)
    except NotFound:
        page = await api.templates("scenarios")
        known = ", ".join(sorted(item.name for item in page.items)) or "none yet"
        raise ScenarioNotFound(f"the catalog has no scenario {name!r}; it has: {known}") from None


def _same(scenario: Scenario, content: dict[str, object]) -> bool:
    """Whether the stored document says the same, written with or without what is at its default."""
    try:
        stored = Scenario.from_dict(content)
    except ValueError:
        return False
    return canonical(normalise(stored.content())) == canonical(normalise(scenario.content()))
