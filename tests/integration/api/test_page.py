"""The page at `/`: what it says, that it is escaped, and who may see it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from html.parser import HTMLParser
from uuid import UUID

import httpx
import pytest
from tests.integration.api.conftest import URL
from tests.integration.runs.desk import talks

from pyscrai_api.app import create_app
from pyscrai_api.deps import Deps
from pyscrai_api.settings import Settings

VOID = {"meta", "link", "br"}


class Page(HTMLParser):
    """A page as text by cell, and a check that every element that opens is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.rows: list[list[str]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def row(self, start: str) -> list[str]:
        return next(row for row in self.rows if row[0].startswith(start))


async def page(api: httpx.AsyncClient) -> Page:
    answer = await api.get("/")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    return Page(answer.text)


async def test_an_empty_installation(api: httpx.AsyncClient) -> None:
    seen = await page(api)
    assert "no engine yet · no run under way" in seen.text
    assert "Nothing has been played yet" in seen.text
    assert {"/docs", "/metrics", "/api/v1/openapi.json"} <= set(seen.links)
    assert "script" not in seen.tags
    for link in {"/docs", "/readyz", "/api/v1/openapi.json"}:
        assert (await api.get(link)).status_code == 200
    assert [row[0] for row in seen.rows][1:] == ["actor", "narrator", "analyst"]


async def test_runs_engines_and_queue(api: httpx.AsyncClient) -> None:
    document = talks()
    await api.post("/api/v1/templates/scenarios", json=document)
    run = (await api.post("/api/v1/runs", json={"scenario": document["name"]})).json()
    title = '<script>alert("x")</script> & more'
    odd = (await api.post("/api/v1/runs", json={"scenario": document["name"], "choices": {"title": title}})).json()
    await api.post(f"/api/v1/runs/{odd['id']}/pause")
    seen = await page(api)
    assert "1 run paused · 1 run running" in seen.text
    assert "no engine works there. Start one: python -m pyscrai_actor" in seen.text
    first, second = seen.rows[1], seen.rows[2]
    assert first[0].startswith(title)
    assert first[0].endswith("paused by local")
    assert first[1:] == ["paused", f"1 of {run['turns']}", "$0 of $1.00"]
    assert second[1] == "running"
    assert f"/runs/{run['id']}" in seen.links
    told = await api.get(f"/runs/{odd['id']}")
    assert "default-src 'none'" in told.headers["content-security-policy"]
    assert title in Page(told.text).text
    assert "script" not in Page(told.text).tags
    assert (await api.get("/runs/nothing")).status_code == 404
    assert "script" not in seen.tags
    engine = {"engine_type": "actor", "resource_limits": {"max_concurrent_events": 4}}
    made = (await api.post("/api/v1/engine-instances", json=engine)).json()
    events = (await api.get(f"/api/v1/events/queue/actor?engine_id={made['id']}&limit=1")).json()
    assert len(events) == 1
    async with asyncio.timeout(60):  # what was counted is kept for a while, where counting took long
        while (seen := await page(api)).row("actor")[2] != "1 of 4":
            pass
        while sum(map(int, (seen := await page(api)).row("actor")[3:5])) != run["open"] + odd["open"] - 1:
            pass
    assert seen.row("actor")[1] == "1"
    assert "no engine works there" not in seen.text


async def test_with_a_token_it_asks_for_a_password(shared: Deps) -> None:
    settings = Settings(database_url=shared.settings.database_url, token="open sesame")
    transport = httpx.ASGITransport(create_app(settings, shared))
    async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
        refused = await client.get("/")
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith("Basic ")
        for password in ("wrong", ""):
            assert (await client.get("/", auth=("me", password))).status_code == 401
        garbage = {"Authorization": "Basic " + base64.b64encode(b"\xff\xfe").decode()}
        assert (await client.get("/", headers=garbage)).status_code == 401
        assert (await client.get("/", auth=("anyone", "open sesame"))).status_code == 200
        assert (await client.get("/", headers={"Authorization": "Bearer open sesame"})).status_code == 200
        # A password that a browser remembers is good for the page alone, not for what changes something.
        assert (await client.get("/api/v1/runs", auth=("anyone", "open sesame"))).status_code == 401


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}])
async def test_it_is_not_for_other_sites(api: httpx.AsyncClient, headers: dict[str, str]) -> None:
    assert (await api.get("/", headers=headers)).status_code == 403


async def test_the_style_is_what_the_policy_allows(api: httpx.AsyncClient) -> None:
    answer = await api.get("/")
    style = re.search("<style>(.*)</style>", answer.text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in answer.headers["content-security-policy"]


async def test_what_was_spent_lately_has_a_place(api: httpx.AsyncClient, shared: Deps) -> None:
    assert "Money" not in (await page(api)).text
    made = await api.post("/api/v1/templates/scenarios", json=talks())
    choices = {"limit": "0.50"}
    run = await api.post("/api/v1/runs", json={"scenario": made.json()["name"], "choices": choices})
    assert run.status_code == 201, run.text
    await shared.pool.execute(
        """
        WITH spent AS (UPDATE runs SET spent = 0.45 WHERE id = $1)
        INSERT INTO calls (event_id, lease_no, call, run_id, owner, step, ordinal, try_no, state, model, input_bound,
          max_tokens, reserved, cost, request_hash, settled_at)
        SELECT id, 1, 1, $1, 'local', step, ordinal, 1, 2, '<b>:big', 1, 1, 0.45, 0.45, 'h', now()
        FROM events WHERE run_id = $1 LIMIT 1
        """,
        UUID(run.json()["id"]),
    )
    seen = await page(api)
    assert "Money: $0.4500 in 7 days" in seen.text
    assert seen.row("<b>:big")[1:] == ["1", "$0.4500 100%"]
    assert "$0.4500 of $0.50 90%" in " ".join(seen.row(run.json()["title"]))
    assert "meter" in seen.tags


async def test_whom_runs_wait_for_is_shown(api: httpx.AsyncClient) -> None:
    content = talks(name="asks")
    seat = next(iter(content["seats"]))
    content["seats"][seat]["title"] = "<b>Somebody</b>"
    assert (await api.post("/api/v1/templates/scenarios", json=content)).status_code == 201
    assert "People at the table" not in (await page(api)).text
    choices = {"seats": {seat: {"human": True, "deadline": 3600, "on_deadline": "skip"}}}
    await api.post("/api/v1/runs", json={"scenario": "asks", "choices": choices})
    who, what, until = (await page(api)).row("<b>Somebody</b>")
    assert who.endswith(f"pyscrai play asks/run-001 --seat {seat}")
    assert what.startswith("Decide, turn 1 of ")
    assert until.endswith("UTC")
