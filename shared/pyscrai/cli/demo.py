"""`pyscrai demo`: what PyScrAI does, shown step by step on real parts."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pyscrai.cli.options import common, pass_talk
from pyscrai.cli.talk import OK, Talk

if TYPE_CHECKING:
    from pyscrai.client.api import Api
    from pyscrai.contract.scenarios import HydratedConversation

EXAMPLE = "prior-authorization"
MODELS = ("gpt-4o-mini", "claude-3-haiku")
FREE = "rehearsal"
EDITED = "Say nothing of what was here before"
EPILOG = """\b
Examples:
  pyscrai demo hydration
"""


@click.group(epilog=EPILOG)
def demo() -> None:
    """Show something step by step, and leave nothing behind."""


@demo.command()
@click.option("--database-url", envvar="PYSCRAI_DATABASE_URL", metavar="URL", help="Instead of a database of its own.")
@common
@pass_talk
def hydration(talk: Talk, /, database_url: str | None) -> int:
    """A scenario as a template, a conversation as its instance with models of its own, and both in one snapshot.

    No model is asked: there is an API and no engine.
    """
    from pyscrai.cli.session import run_async

    return run_async(lambda: _hydration(talk, database_url or None))


async def _hydration(talk: Talk, database_url: str | None) -> int:
    from pyscrai.cli.configuration import as_configuration
    from pyscrai.contract.scenarios import PostedScenario
    from pyscrai.sdk.scenario import Scenario
    from pyscrai.sdk.shipped import shipped_scenarios

    scenario = Scenario.load(shipped_scenarios().get(EXAMPLE, Path(EXAMPLE))).document
    config = as_configuration(scenario, f"{EXAMPLE}-{secrets.token_hex(4)}")
    # In a database where engines may be at work, nothing that costs money is named.
    models = (FREE, FREE) if database_url else MODELS
    async with _api(talk, database_url) as (api, url):
        _step(talk, f"API at {url}")
        await api.create_scenario(PostedScenario(name=f"{scenario.title} (template)", config=config))
        _step(talk, f"Scenario template {config['metadata']['id']!r} created")
        try:
            told = await _instance(talk, api, config, models)
        finally:
            await api.archive_template("scenarios", config["metadata"]["id"])
    _step(talk, "API stopped")
    if talk.json:
        talk.result({"api_url": url, "scenario_id": config["metadata"]["id"], **told})
    else:
        talk.out.print("The demonstration ended well.", markup=False)
    return OK


async def _instance(talk: Talk, api: Api, config: dict[str, Any], models: tuple[str, str]) -> dict[str, Any]:
    """The conversation, its snapshot, and the snapshot again after the template was edited."""
    from pyscrai.contract.scenarios import AgentConfig, NewConversation, PostedScenario

    scenario_id, seats = config["metadata"]["id"], [agent["agentId"] for agent in config["agents"]]
    agents = [AgentConfig(id=seat, config={"model": model}) for seat, model in zip(seats, models, strict=False)]
    title = f"{config['metadata']['title']} (LLM: {models[0]})"
    made = await api.create_conversation(NewConversation(scenario_id=scenario_id, title=title, agents=agents))
    try:
        _step(talk, f"Conversation {made.conversation} instantiated from it: {made.title}")
        snapshot = await api.conversation(made.conversation)
        _show(talk, snapshot)
        edited = [{**agent, "goals": [EDITED]} for agent in config["agents"]]
        await api.change_scenario(scenario_id, PostedScenario(config={**config, "agents": edited}))
        again = await api.conversation(made.conversation)
    finally:
        await api.cancel(made.run_id)
    if again.scenario != snapshot.scenario:
        raise click.ClickException("the snapshot has moved with its template, which must never happen")
    _step(talk, "The template was edited since; the snapshot says what it said")
    return {
        "conversation": made.conversation,
        "title": made.title,
        "static": {agent["agentId"]: agent["goals"][0] for agent in snapshot.scenario["agents"]},
        "runtime": {agent.id: agent.config["model"] for agent in snapshot.runtime_meta.agents},
        "unchanged_by_edit": True,
    }


def _show(talk: Talk, snapshot: HydratedConversation) -> None:
    if talk.json or talk.quiet:
        return
    runtime = {agent.id: agent.config for agent in snapshot.runtime_meta.agents}
    paper = talk.paper
    paper.rule("The hydrated snapshot", "bold")
    for agent in snapshot.scenario["agents"]:
        goal, model = agent["goals"][0], runtime.get(agent["agentId"], {}).get("model", "the scenario's")
        paper.line(f"  {agent['agentId']}", "bold")
        paper.facts([("Static goal from template", str(goal)), ("Runtime model from instance", str(model))])
    paper.blank()


@asynccontextmanager
async def _api(talk: Talk, database_url: str | None) -> AsyncIterator[tuple[Api, str]]:
    """An API on a free port, without engines; on a database that is removed afterwards where none is given."""
    from anyio import to_thread

    from pyscrai.client.api import Api
    from pyscrai.client.http import Http
    from pyscrai.embedded.database import remove_database
    from pyscrai.embedded.stack import stack

    with tempfile.TemporaryDirectory(prefix="pyscrai-demo-") as folder:
        data = Path(folder) / "data"
        try:
            serving = stack(data=data, database_url=database_url, engines={})
            async with serving as running, Api(Http(running.api_url, token=running.token)) as api:
                yield api, running.api_url
        finally:
            if database_url is None:
                await to_thread.run_sync(remove_database, data)


def _step(talk: Talk, text: str) -> None:
    if not talk.json and not talk.quiet:
        paper = talk.paper
        paper.line(f"{paper.glyphs.ok} {text}", "green")
