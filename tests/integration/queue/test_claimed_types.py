"""With which version of its event type an event without a run is handed out: the one that `resolve` would find."""

from __future__ import annotations

from typing import Any

import httpx
from tests.integration.queue.bench import Bench, back, done

from pyscrai_api.app import create_app
from pyscrai_api.catalog import store as catalog
from pyscrai_api.deps import open_deps
from pyscrai_api.errors import NotFound


async def keep(bench: Bench, name: str, prompt: str, owner: str = "local", visibility: str = "private") -> str:
    """A new version of an event type; returns the template's id."""
    content = {"name": name, "lane": "actor", "prompt": prompt, "result_schema": {"required": [prompt]}}
    known = await bench.deps.pool.fetchval(
        "SELECT id FROM templates WHERE type = 'event-types' AND name = $1 AND owner = $2", name, owner
    )
    method, path = ("PUT", f"/templates/event-types/{known}") if known else ("POST", "/templates/event-types")
    made = await bench.call(method, path, content)
    await bench.deps.pool.execute(
        "UPDATE templates SET owner = $2, visibility = $3 WHERE id = $1::uuid", made["id"], owner, visibility
    )
    return str(made["id"])


async def shown(bench: Bench, engine: str, event_type: str, **data: Any) -> tuple[str | None, list[str]]:
    """The prompt and what the result must have, as a claim shows them; held against `resolve`, and finished so."""
    await bench.post(1, event_type=event_type, data=data or {"text": "x"})
    (event,) = await bench.claim(engine, repeat=0, claim_id="new")
    prompt = event["prompt"] and event["prompt"]["user"]
    required = (event["result_schema"] or {}).get("required", [])
    async with bench.deps.pool.acquire() as conn:
        try:
            pin = await catalog.resolve(conn, "event-types", event_type, owner="local")
        except NotFound:
            pin = None
    if "prompt" not in data:
        assert (prompt is None) == (pin is None)
        assert pin is None or f'"prompt":"{prompt}"' in pin.canonical
    wrong = await bench.finish(engine, done(event, {"other": 1})) if required else ["invalid"]
    assert wrong == ["invalid"]
    if not required:
        assert await bench.finish(engine, done(event, {"other": 1})) == ["done"]
    return prompt, required


async def test_own_then_shared_then_built_in_the_latest_unless_said_otherwise(bench: Bench) -> None:
    engine = await bench.engine()
    assert await shown(bench, engine, "nobody-knows") == (None, [])
    theirs = await keep(bench, "mine", "theirs", "someone", "private")
    assert await shown(bench, engine, "mine") == (None, [])
    await bench.deps.pool.execute("UPDATE templates SET visibility = 'shared' WHERE id = $1::uuid", theirs)
    assert (await shown(bench, engine, "mine"))[0] == "theirs"
    own = await keep(bench, "mine", "one")
    assert await shown(bench, engine, "mine") == ("one", ["one"])
    await keep(bench, "mine", "two")
    assert await shown(bench, engine, "mine") == ("two", ["two"])
    assert await shown(bench, engine, "mine@1") == ("one", ["one"])
    assert await shown(bench, engine, "mine@9") == (None, [])
    assert (await shown(bench, engine, own))[0] == "two"
    assert (await shown(bench, engine, theirs))[0] == "theirs"
    assert await shown(bench, engine, "mine", prompt="asked as it is") == (None, [])
    await bench.deps.pool.execute("UPDATE templates SET archived_at = now() WHERE id = $1::uuid", own)
    assert (await shown(bench, engine, "mine"))[0] == "theirs"


async def test_a_result_is_held_against_the_version_that_was_handed_out(bench: Bench) -> None:
    engine = await bench.engine()
    await keep(bench, "kind", "one")
    await bench.post(1, event_type="kind", data={"text": "x"})
    (event,) = await bench.claim(engine)
    await keep(bench, "kind", "two")
    assert event["result_schema"] == {"required": ["one"]}
    assert await bench.finish(engine, done(event, {"one": 1})) == ["done"]


async def test_what_one_replica_handed_out_before_does_not_judge_what_another_hands_out_now(bench: Bench) -> None:
    engine = await bench.engine()
    await keep(bench, "kind", "one")
    await bench.post(1, event_type="kind", data={"text": "x"})
    (first,) = await bench.claim(engine)
    assert await bench.finish(engine, back(first)) == ["done"]
    await keep(bench, "kind", "two")
    async with open_deps(bench.deps.settings) as deps:
        transport = httpx.ASGITransport(app=create_app(deps.settings, deps), client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", timeout=60) as http:
            (event,) = await Bench(http=http, deps=deps).claim(engine)
    assert event["result_schema"] == {"required": ["two"]}
    assert await bench.finish(engine, done(event, {"two": 1})) == ["done"]
