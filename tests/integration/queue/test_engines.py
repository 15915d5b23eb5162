"""Engines: registering, heartbeats that renew what is worked on, leaving, silence."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from tests.integration.queue.bench import Bench, done

from pyscrai_api.loops.engines import Silence


async def beat(bench: Bench, engine: str, **body: Any) -> dict[str, Any]:
    found: dict[str, Any] = await bench.call("PUT", f"/engine-instances/{engine}/heartbeat", body, 200)
    return found


def lease(event: dict[str, Any]) -> dict[str, Any]:
    return {"event_id": event["id"], "lease_no": event["lease_no"]}


async def test_registration_in_any_case_and_its_defaults(bench: Bench) -> None:
    made = await bench.call("POST", "/engine-instances", {"engine_type": " Actor ", "capabilities": ["x"]}, 201)
    assert (made["engine_type"], made["lane"], made["status"]) == ("actor", "actor", "active")
    assert (made["lease_seconds"], made["heartbeat_seconds"]) == (300, 75)
    assert made["protocol"] >= made["min_protocol"]
    ours = {"engine_type": "narrator", "pool": "p1", "lease_seconds": 20, "heartbeat_seconds": 5}
    assert (await bench.call("POST", "/engine-instances", ours, 201))["lane"] == "narrator:p1"
    await bench.call("POST", "/engine-instances", {"engine_type": "a b"}, 400)
    await bench.call("POST", "/engine-instances", {"engine_type": "actor:x"}, 400)


async def test_listing_and_one(bench: Bench) -> None:
    actor, narrator = await bench.engine("actor"), await bench.engine("narrator", pool="p")
    assert [e["id"] for e in await bench.call("GET", "/engine-instances")] == [actor, narrator]
    assert [e["id"] for e in await bench.call("GET", "/engine-instances", engine_type="NARRATOR")] == [narrator]
    assert [e["id"] for e in await bench.call("GET", "/engine-instances", lane="narrator:p")] == [narrator]
    assert await bench.call("GET", "/engine-instances?status=GONE") == []
    one = await bench.call("GET", f"/engine-instances/{actor}")
    assert "token" not in one
    await bench.call("GET", f"/engine-instances/{uuid4()}", None, 404)
    await bench.call("GET", "/engine-instances/nonsense", None, 404)
    health = await bench.call("GET", "/engine-instances/health", None, 200)
    assert {lane["lane"] for lane in health["lanes"]} == {"actor", "narrator:p"}


async def test_a_list_renews_exactly_what_it_names(bench: Bench) -> None:
    await bench.post(2)
    engine = await bench.engine()
    one, two = await bench.claim(engine)
    before = await bench.row(two["id"])
    await bench.age(one["id"], seconds=290)
    answer = await beat(bench, engine, leases=[lease(one), {"event_id": 77, "lease_no": 1}], current_workload=1)
    assert (answer["renewed"], answer["lost"], answer["cancel"], answer["drain"]) == ([one["id"]], [77], [], False)
    assert answer["current_workload"] == 1
    assert await bench.deps.pool.fetchval(
        "SELECT lease_until > now() + interval '290 s' FROM queue WHERE id = $1", one["id"]
    )
    assert await bench.row(two["id"]) == before


async def test_a_claim_whose_answer_was_cut_off_is_back_after_two_heartbeats(bench: Bench) -> None:
    await bench.post(2)
    engine = await bench.engine(lease_seconds=20, heartbeat_seconds=5)
    known, lost = await bench.claim(engine)
    await bench.deps.pool.execute("UPDATE queue SET leased_at = now() - interval '9 s'")
    await beat(bench, engine, leases=[lease(known)])
    assert (await bench.row(lost["id"]))["state"] == 3, "its answer may still be on its way"
    await bench.deps.pool.execute("UPDATE queue SET leased_at = now() - interval '11 s'")
    await beat(bench, engine, leases=[lease(known)])
    row = await bench.row(lost["id"])
    assert (row["state"], row["handbacks"], row["failures"]) == (2, 1, 0)
    assert (await bench.row(known["id"]))["state"] == 3


async def test_without_a_list_everything_is_renewed_but_not_for_ever(bench: Bench) -> None:
    await bench.post(2)
    engine = await bench.engine()
    one, two = await bench.claim(engine)
    await bench.age(one["id"], seconds=400)
    await bench.age(two["id"], seconds=3500)
    assert (await beat(bench, engine))["renewed"] == [one["id"], two["id"]]
    left = dict(await bench.deps.pool.fetch("SELECT id, extract(epoch FROM lease_until - now()) FROM queue"))
    assert 290 < left[one["id"]] <= 300
    assert left[two["id"]] <= 100


async def test_another_engines_lease_is_not_renewed(bench: Bench) -> None:
    await bench.post()
    engine, other = await bench.engine(), await bench.engine()
    (event,) = await bench.claim(engine)
    assert (await beat(bench, other, leases=[lease(event)]))["lost"] == [event["id"]]
    assert (await beat(bench, engine, leases=[{**lease(event), "lease_no": 2}]))["lost"] == [event["id"]]


async def test_leaving_hands_leases_back_and_is_final(bench: Bench) -> None:
    await bench.post(2)
    engine, other = await bench.engine(), await bench.engine()
    one, _ = await bench.claim(engine)
    await bench.call("DELETE", f"/engine-instances/{engine}", None, 204)
    assert len(await bench.claim(other)) == 2
    assert await bench.finish(engine, done(one)) == ["stale"]
    await bench.call("PUT", f"/engine-instances/{engine}/heartbeat", {}, 404)
    await bench.call("POST", "/events/claim", {"engine_id": engine}, 404)
    await bench.call("DELETE", f"/engine-instances/{engine}", None, 404)
    assert (await bench.call("GET", f"/engine-instances/{engine}"))["status"] == "gone"


async def test_silent_engines_are_gone_and_a_poll_is_a_sign_of_life(bench: Bench) -> None:
    silent, polls = await bench.engine(), await bench.engine()
    await bench.deps.pool.execute("UPDATE engines SET last_heartbeat = now() - interval '1 day'")
    await bench.claim(polls)
    assert await Silence(pool=bench.deps.pool).run_once() == 1
    assert (await bench.call("GET", f"/engine-instances/{silent}"))["status"] == "gone"
    assert (await bench.call("GET", f"/engine-instances/{polls}"))["status"] == "active"


async def test_an_engine_that_drains_gets_nothing(bench: Bench) -> None:
    await bench.post()
    engine = await bench.engine()
    assert (await beat(bench, engine, status="draining"))["drain"] is True
    assert await bench.claim(engine, wait=5) == []
    assert (await beat(bench, engine, status="active"))["status"] == "draining"


async def test_metrics_show_depth_engines_and_what_waits(bench: Bench) -> None:
    await bench.post(3)
    engine = await bench.engine()
    await bench.claim(engine, 1)
    page = (await bench.http.get("/metrics")).text
    assert 'pyscrai_queue_events{event_type="prompt",lane="actor",state="ready"} 2.0' in page
    assert 'pyscrai_queue_events{event_type="prompt",lane="actor",state="leased"} 1.0' in page
    assert 'pyscrai_engines{lane="actor",status="active"} 1.0' in page
    assert "pyscrai_claims_parked 0.0" in page


async def test_metrics_do_not_tell_whose_pools_there_are(bench: Bench) -> None:
    for pool in ("alice", "bob-night"):
        await bench.post(engine_type=f"actor:{pool}")
        await bench.engine(pool=pool)
    page = (await bench.http.get("/metrics")).text
    assert 'pyscrai_queue_events{event_type="prompt",lane="actor:*",state="ready"} 2.0' in page
    assert 'pyscrai_engines{lane="actor:*",status="active"} 2.0' in page
    assert "alice" not in page
