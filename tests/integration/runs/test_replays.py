"""Replays and the cache, at the API: what a run is given in place of model calls."""

from __future__ import annotations

import json
from typing import Any

from tests.integration.runs.desk import Desk, done, failed, reply, settled, talks

from pyscrai.domain.canonical import canonical, normalise, sha256
from pyscrai_api.loops.retention import Retention

LANES = ("actor", "narrator", "analyst")
PRICE = {"prices": {"gpt-4o-mini": {"input": "1", "output": "2"}}, "model": "gpt-4o-mini"}


def asked(event: dict[str, Any]) -> str:
    """The hash of what is asked: of the prompt, of all that it is rendered with, and of the model."""
    return sha256(canonical(normalise([event["prompt"], event["view"], event["data"], event["model"]["id"]])))


async def turn_of_work(desk: Desk, sources: list[str | None] | None = None) -> list[dict[str, Any]]:
    """Claim, reserve and finish what is ready now, as an engine does; returns the grants."""
    grants: list[dict[str, Any]] = []
    for lane in LANES:
        for event in await desk.claim(lane):
            grant = (await desk.reserve(lane, event, request_hash=asked(event)))[0]
            grants.append(grant)
            if sources is not None:
                sources.append(grant.get("source"))
            if grant["state"] != "granted":
                code = {"diverged": "replay_diverged"}.get(grant["state"], grant["state"])
                await desk.finish(lane, failed(event, permanent=True, code=code, error=grant["detail"]))
                continue
            answer = grant.get("answer") or json.dumps(reply(event))
            request = [{"role": "user", "text": f"{event['seat']}, turn {event['turn']}: what now?"}]
            call = settled(event, answer=answer, request=request, request_hash=asked(event))
            await desk.finish(lane, done(event, json.loads(answer)), calls=[call])
    return grants


async def play(desk: Desk, run: dict[str, Any]) -> tuple[dict[str, Any], list[str | None]]:
    """Play to the end; also where each answer came from."""
    sources: list[str | None] = []
    while await turn_of_work(desk, sources):
        pass
    return await desk.run(run), sources


async def replay(desk: Desk, run: dict[str, Any], **wanted: Any) -> dict[str, Any]:
    made: dict[str, Any] = await desk.ok("POST", f"/runs/{run['id']}/replay", wanted)
    return made


async def test_a_replay_tells_the_same_story_for_nothing(desk: Desk) -> None:
    recorded, sources = await play(desk, await desk.start(limit="5", **PRICE))
    assert recorded["status"] == "completed"
    assert set(sources) == {None}
    assert recorded["model_calls"] == len(sources)
    again, sources = await play(desk, await replay(desk, recorded))
    assert set(sources) == {"replay"}
    assert again["status"] == "completed"
    assert again["log_digest"] == recorded["log_digest"]
    assert (float(again["spent"]), again["model_calls"]) == (0, 0)
    assert again["replay_of"] == {"id": recorded["id"], "label": recorded["label"], "scenario": "talks"}
    calls = (await desk.ok("GET", f"/runs/{again['id']}/calls"))["items"]
    before = (await desk.ok("GET", f"/runs/{recorded['id']}/calls"))["items"]
    assert [call["source"] for call in calls] == ["replay"] * len(sources)
    same = ("step", "ordinal", "request", "request_hash", "answer", "usage", "state")
    assert [[call[key] for key in same] for call in calls] == [[call[key] for key in same] for call in before]


async def test_a_changed_scenario_stops_with_what_was_recorded(desk: Desk) -> None:
    recorded, _ = await play(desk, await desk.start(limit="5", **PRICE))
    await desk.scenario(talks(world={"text": "No draft is on the table.", "facts": {"window": 24}}))
    changed = await replay(desk, recorded, scenario="talks")
    grants = await turn_of_work(desk)
    # The first one blocks the run; the seat beside it is not asked any more.
    assert [grant["state"] for grant in grants] == ["diverged", "not_running"]
    assert [message["text"] for message in grants[0]["recorded"]] == ["union, turn 1: what now?"]
    blocked = await desk.run(changed)
    assert (blocked["status"], blocked["reason"]["code"]) == ("blocked", "replay_diverged")
    assert float(blocked["spent"]) == 0


async def test_other_choices_are_told_apart(desk: Desk) -> None:
    recorded, _ = await play(desk, await desk.start(limit="5", **PRICE))
    await replay(desk, recorded, choices={"model": "rehearsal"})
    (event, *_) = await desk.claim("actor")
    assert event["model"]["id"] == "rehearsal"
    (grant,) = await desk.reserve("actor", event, request_hash="other", max_tokens=7)
    assert grant["state"] == "diverged"
    assert "the model gpt-4o-mini, asked now of rehearsal" in grant["detail"]
    assert "at most 100 tokens of answer, asked now with 7" in grant["detail"]


async def test_a_recording_ends_where_it_was_left(desk: Desk) -> None:
    recorded = await desk.start(limit="5", **PRICE)
    await turn_of_work(desk)
    await desk.ok("POST", f"/runs/{recorded['id']}/pause")
    again = await replay(desk, recorded)
    grants = await turn_of_work(desk)
    assert {grant["state"] for grant in grants if grant["state"] != "granted"} <= {"recording_ends"}
    while await turn_of_work(desk):
        pass
    stopped = await desk.run(again)
    assert (stopped["status"], stopped["reason"]["code"]) == ("blocked", "recording_ends")
    assert "run-001" in stopped["reason"]["message"]


async def test_failures_and_repairs_of_the_recording(desk: Desk) -> None:
    """The lease that ended the event counts, whatever its number, and its answers in order."""
    run = await desk.start(limit="5", **PRICE)
    events = await desk.claim("actor")
    for event in events:
        await desk.reserve("actor", event, request_hash="lost")
    calls = [settled(event, answer="a failed try", request_hash="lost") for event in events]
    await desk.finish("actor", *[failed(event, retry_after=0) for event in events], calls=calls)
    await desk.deps.pool.execute("UPDATE queue SET state = 2, run_at = NULL WHERE run_id = $1 AND state = 1", run["id"])
    for event in await desk.claim("actor"):
        # The server refused a part of the first request; the second was answered, and repaired by the third.
        for number, hash_of in ((1, "first"), (2, "first"), (3, "repair")):
            await desk.reserve("actor", event, request_hash=hash_of, call=number, **{"try": 2})
        answers = ((1, None, "first"), (2, "unusable", "first"), (3, json.dumps(reply(event)), "repair"))
        kept = [settled(event, call=n, answer=text, request_hash=h, **{"try": 2}) for n, text, h in answers]
        await desk.finish("actor", done(event), calls=kept)
    recorded, _ = await play(desk, run)
    assert recorded["status"] == "completed"
    again = await replay(desk, recorded)
    for event in await desk.claim("actor"):
        (first,) = await desk.reserve("actor", event, request_hash="first")
        (second,) = await desk.reserve("actor", event, request_hash="repair", call=2)
        assert (first["answer"], json.loads(second["answer"])) == ("unusable", reply(event))
        calls = [settled(event, call=n, answer=g["answer"]) for n, g in ((1, first), (2, second))]
        await desk.finish("actor", done(event), calls=calls)
    again, _ = await play(desk, again)
    assert again["log_digest"] == recorded["log_digest"]


async def test_an_answer_that_was_lost_on_its_way_is_given_again(desk: Desk) -> None:
    recorded, _ = await play(desk, await desk.start(limit="5", **PRICE))
    await replay(desk, recorded)
    (event, *_) = await desk.claim("actor")
    first = await desk.reserve("actor", event, event, request_hash=asked(event))
    again = await desk.reserve("actor", event, request_hash=asked(event))
    assert first[0]["source"] == "replay"
    assert first[0]["answer"]
    assert [*first, *again] == [first[0]] * 3


async def test_a_replay_of_a_replay_and_the_same_wish_twice(desk: Desk) -> None:
    recorded, _ = await play(desk, await desk.start(limit="5", **PRICE))
    headers = {"Idempotency-Key": "once"}
    answers = [await desk.http.post(f"/api/v1/runs/{recorded['id']}/replay", headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    first, _ = await play(desk, answers[0].json())
    second, sources = await play(desk, await replay(desk, first))
    assert set(sources) == {"replay"}
    assert second["replay_of"]["id"] == recorded["id"]
    assert second["log_digest"] == first["log_digest"] == recorded["log_digest"]


async def test_the_cache_is_asked_for_by_the_run(desk: Desk) -> None:
    options = {"limit": "5", "cache": True, **PRICE}
    first, sources = await play(desk, await desk.start(**options))
    assert set(sources) == {None}
    again, sources = await play(desk, await desk.start(**options))
    assert set(sources) == {"cache"}
    assert (float(again["spent"]), again["model_calls"]) == (0, 0)
    assert again["log_digest"] == first["log_digest"]
    _, without = await play(desk, await desk.start(limit="5", **PRICE))
    assert set(without) == {None}
    _, seeded = await play(desk, await desk.start(**options, seed=3))
    assert set(seeded) == {None}
    held = await desk.ok("GET", "/cache")
    assert (held["answers"], held["hits"]) == (2 * len(sources), len(sources))
    await desk.ok("DELETE", "/cache")
    assert (await desk.ok("GET", "/cache"))["answers"] == 0


async def test_failures_are_not_cached_and_not_answered_from_the_cache(desk: Desk) -> None:
    options = {"limit": "5", "cache": True, **PRICE}
    await desk.start(**options)
    (event, *others) = await desk.claim("actor")
    await desk.reserve("actor", event, request_hash="same")
    await desk.finish("actor", failed(event), calls=[settled(event, request_hash="same")])
    assert (await desk.ok("GET", "/cache"))["answers"] == 0
    await desk.reserve("actor", *others, request_hash="same")
    await desk.finish("actor", *map(done, others), calls=[settled(o, request_hash="same") for o in others])
    assert (await desk.ok("GET", "/cache"))["answers"] == len(others)
    await desk.start(**options)
    again = next(event for event in await desk.claim("actor") if event["seat"] == others[0]["seat"])
    (grant,) = await desk.reserve("actor", again, request_hash="same", **{"try": 2})
    assert grant.get("answer") is None


async def test_models_that_were_changed_on_the_way(desk: Desk) -> None:
    """Each place is asked of the model that answered it, although the run ended with another one."""
    run = await desk.start(limit="5", **PRICE)
    await turn_of_work(desk)
    await desk.ok("POST", f"/runs/{run['id']}/resume", {"model": "rehearsal"})
    recorded, _ = await play(desk, run)
    before = [call["model"] for call in (await desk.ok("GET", f"/runs/{run['id']}/calls"))["items"]]
    assert set(before) == {"gpt-4o-mini", "rehearsal"}
    again, sources = await play(desk, await replay(desk, recorded))
    assert set(sources) == {"replay"}
    assert again["log_digest"] == recorded["log_digest"]
    assert [call["model"] for call in (await desk.ok("GET", f"/runs/{again['id']}/calls"))["items"]] == before
    await replay(desk, recorded, choices={"model": "gpt-4o-mini"})
    for event in await desk.claim("actor"):
        assert event["model"]["id"] == "gpt-4o-mini"


async def test_prompts_as_they_are_now(desk: Desk) -> None:
    recorded, _ = await play(desk, await desk.start(limit="5", **PRICE))
    built_in = (await desk.ok("GET", "/templates/event-types/decide"))["content"]
    own = built_in | {"prompt": built_in["prompt"] + "Be brief."}
    made = await desk.http.post("/api/v1/templates/event-types", json=own)
    assert made.status_code == 201, made.text
    again, sources = await play(desk, await replay(desk, recorded))
    assert set(sources) == {"replay"}
    assert again["log_digest"] == recorded["log_digest"]
    await replay(desk, recorded, latest=True)
    grants = await turn_of_work(desk)
    assert grants[0]["state"] == "diverged"


async def test_cached_answers_are_kept_for_so_many_days(desk: Desk) -> None:
    await play(desk, await desk.start(limit="5", cache=True, **PRICE))
    kept = (await desk.ok("GET", "/cache"))["answers"]
    retention = Retention(pool=desk.deps.pool, days=30, cache_days=2)
    await desk.deps.pool.execute(
        "UPDATE cached_answers SET created_at = now() - interval '49 hours' WHERE request_hash IN "
        "(SELECT request_hash FROM cached_answers LIMIT 3)"
    )
    assert await retention.run_once() == 3
    assert (await desk.ok("GET", "/cache"))["answers"] == kept - 3


async def test_an_engine_that_would_make_the_calls_plays_no_replay(desk: Desk) -> None:
    """It does not know that a grant brings an answer: it would pay for what costs nothing."""
    recorded, _ = await play(desk, await desk.start(limit="5", **PRICE))
    await replay(desk, recorded)
    old = await desk.register("actor", protocol=1)
    (event, *_) = await desk.claim("actor", engine=old)
    (grant,) = await desk.reserve("actor", event, engine=old, request_hash=asked(event))
    assert (grant["state"], grant.get("answer")) == ("unpriced", None)
    assert "newer" in grant["detail"]


async def test_an_engine_that_would_make_the_calls_gets_none_of_the_cache(desk: Desk) -> None:
    await play(desk, await desk.start(limit="5", cache=True, **PRICE))
    await desk.start(limit="5", cache=True, **PRICE)
    old = await desk.register("actor", protocol=1)
    (event, *_) = await desk.claim("actor", engine=old)
    (grant,) = await desk.reserve("actor", event, engine=old, request_hash=asked(event))
    assert (grant["state"], grant.get("answer")) == ("granted", None)
    assert float(grant["reserved"]) > 0
