"""Keys, tokens and passwords, planted in every way there is, are nowhere in what the system leaves behind.

The provider repeats the key that it was shown, in answers, errors and headers, as some do.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import psutil
import pytest
from tests.acceptance.fleet import ENGINES, Fleet, until
from tests.acceptance.plants import Search, command_lines, environments, plant
from tests.acceptance.provider import Handler, Provider, provider, silence
from tests.acceptance.terminal import SCENARIO, Cli, Start, command, read_until
from tests.conftest import execute

MODELS = {"left": "openai:gpt-4o-mini", "right": "groq:llama-3.1-8b-instant"}
PRICE = {"input": "1", "output": "1"}


# ── a provider that repeats what it was shown ────────────────────────────────────────────────────────────────────


def shown(handler: Handler) -> str:
    """The key in a request."""
    return handler.headers["authorization"].removeprefix("Bearer ")


def answer(handler: Handler) -> None:
    """A fitting answer in which the key stands everywhere."""
    key = shown(handler)
    wanted = json.dumps(handler.asked.get("response_format", handler.asked["messages"]))
    said = f"I was asked with {key}, Bearer {key}."
    world = {"narrative": said, "facts": {"key": key}, "changes": [said]}
    decision = {"reasoning": said, "goals": [said], "action": said}
    content = json.dumps(world if "narrative" in wanted else decision)
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    body = {"id": key, "object": "chat.completion", "created": 0, "model": key, "choices": [choice], "usage": usage}
    handler.answer(200, body, x_request_id=key, x_key=key)


def refuse(status: int, code: str) -> Any:
    """An error that has the key in its body and its headers."""

    def trick(handler: Handler) -> None:
        key = shown(handler)
        # However messages are cut, some of these stand across the end.
        long = "".join(f"{number} {key} " for number in range(100))
        error = {"message": f"Incorrect API key provided: {long}", "type": key, "param": key, "code": code}
        body = {"error": error, "headers": {"Authorization": f"Bearer {key}"}}
        wait = {"retry_after": "1"} if status == 429 else {}
        handler.answer(status, body, x_request_id=key, **wait)

    return trick


def broken(handler: Handler) -> None:
    """Something that is no JSON, with the key in it."""
    text = f"<html>{shown(handler)}</html>".encode()
    handler.send_response(200)
    handler.send_header("content-type", "text/html")
    handler.send_header("content-length", str(len(text)))
    handler.end_headers()
    handler.wfile.write(text)


def unusable(handler: Handler) -> None:
    """An answer that does not fit, so that it is shown to the model again."""
    message = {"role": "assistant", "content": f'{{"surprise": "{shown(handler)}"}}'}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    body = {"id": "one", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage}
    handler.answer(200, body)


@pytest.fixture
def echo() -> Iterator[Provider]:
    with provider() as server:
        server.always = answer
        yield server


# ── what is planted ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Plants:
    """All secrets by where they were planted. `keys_file`: where one of them has to be."""

    keys_file: Path
    environment: str = field(default_factory=lambda: plant("sk-proj-"))
    file: str = field(default_factory=lambda: plant("gsk_"))
    kept: str = field(default_factory=lambda: plant("lent"))
    own_server: str = field(default_factory=lambda: plant("mine"))
    database: str = field(default_factory=plant)
    token: str = field(default_factory=plant)
    secret: str = field(default_factory=plant)
    users: str = ""

    def by_name(self) -> dict[str, str]:
        """Those that there are."""
        return {name: value for name, value in vars(self).items() if isinstance(value, str) and value}


@pytest.fixture
def plants(tmp_path: Path) -> Plants:
    planted = Plants(tmp_path / "keys.env")
    planted.keys_file.write_text(f"GROQ_API_KEY={planted.file}\n")
    planted.keys_file.chmod(0o600)
    return planted


@pytest.fixture
def guarded_dsn(dsn: str, plants: Plants) -> Iterator[str]:
    """The same database through a role whose password is planted."""
    name = f"plant_{os.getpid()}"
    execute(dsn, f"CREATE ROLE {name} LOGIN SUPERUSER PASSWORD '{plants.database}'")
    parts = urlsplit(dsn)
    place = parts.netloc.rpartition("@")[2]
    try:
        yield urlunsplit(parts._replace(netloc=f"{name}:{plants.database}@{place}"))
    finally:
        execute(dsn, f"REASSIGN OWNED BY {name} TO CURRENT_USER", f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def model_settings(plants: Plants, echo: Provider) -> dict[str, str]:
    """What engines are told of models."""
    return {
        "OPENAI_API_KEY": plants.environment,
        "PYSCRAI_KEYS": str(plants.keys_file),
        "OPENAI_BASE_URL": echo.url,
        "GROQ_BASE_URL": echo.url,
    }


# ── services as an operator starts them ──────────────────────────────────────────────────────────────────────────


@dataclass
class Guarded(Fleet):
    """A fleet in which the API and the engines are given different secrets, as an operator would."""

    of_api: dict[str, str] = field(default_factory=dict)
    of_engines: dict[str, str] = field(default_factory=dict)

    def start(self, name: str) -> None:
        common = self.settings
        self.settings = common | (self.of_api if name == "api" else self.of_engines)
        try:
            super().start(name)
        finally:
            self.settings = common


@pytest.fixture
def fleet(guarded_dsn: str, tmp_path: Path, plants: Plants, echo: Provider) -> Iterator[Guarded]:
    (tmp_path / "fleet").mkdir()
    common = {
        "PYSCRAI_TOKEN": plants.token,
        "PYSCRAI_DATA": str(tmp_path / "fleet" / "data"),
        "PYSCRAI_LOG_LEVEL": "debug",
        "PYSCRAI_LEASE_SECONDS": "2",
        "PYSCRAI_HEARTBEAT_SECONDS": "0.5",
        "PYSCRAI_RETRY_BASE": "0.05",
        "PYTHONFAULTHANDLER": "1",
    }
    made = Guarded(
        guarded_dsn,
        tmp_path / "fleet",
        common,
        of_api={"PYSCRAI_SECRET": plants.secret},
        of_engines=model_settings(plants, echo),
    )
    made.http.headers["authorization"] = f"Bearer {plants.token}"
    try:
        for name in ("api", *(f"{kind}-1" for kind in ENGINES)):
            made.start(name)
        until("the API", made.ready)
        until("the engines", lambda: len(made.pids()) == len(ENGINES))
        yield made
    finally:
        made.http.close()
        for process in made.processes.values():
            process.send_signal(signal.SIGKILL)
        for process in made.processes.values():
            process.wait()


@contextmanager
def speaking_as(fleet: Fleet, token: str) -> Iterator[None]:
    before = fleet.http.headers["authorization"]
    fleet.http.headers["authorization"] = f"Bearer {token}"
    try:
        yield
    finally:
        fleet.http.headers["authorization"] = before


def scenario() -> dict[str, Any]:
    import yaml

    found: dict[str, Any] = yaml.safe_load(SCENARIO)
    found["schedule"]["turns"] = 1
    return found


def play(fleet: Fleet, narrator: str, **more: Any) -> dict[str, Any]:
    seats = {seat: {"model": model} for seat, model in {**MODELS, "narrator": narrator}.items()}
    prices = dict.fromkeys((*MODELS.values(), narrator), PRICE)
    return fleet.play(scenario(), seats=seats, prices=prices, limit="1", max_failures=9, **more)


# ── the search ───────────────────────────────────────────────────────────────────────────────────────────────────


def answers_of_every_route(fleet: Fleet, search: Search, who: str, run: dict[str, Any]) -> None:
    """Every GET that there is, with what this run can put into its path."""
    described = fleet.get("/openapi.json")
    event = fleet.get("/events", run_id=run["id"])["items"][0]["id"]
    engines = fleet.get("/engine-instances")
    known = {
        "run": run["id"],
        "run_id": run["id"],
        "conversation": str(run["serial"]),
        "scenario": "two-doors",
        "name": "two-doors",
        "type": "scenarios",
        "document": "scenario",
        "event_id": str(event),
        "engine_id": engines[0]["id"] if engines else "none",
        "engine_type": "actor",
    }
    asked = 0
    for path, methods in described["paths"].items():
        if "get" not in methods:
            continue
        for part in [piece[1:-1] for piece in path.split("/") if piece.startswith("{")]:
            path = path.replace(f"{{{part}}}", known.get(part, "two-doors"))
        url = str(fleet.http.base_url.copy_with(path=path))
        if path.endswith("/stream"):
            content = whole_stream(fleet, url, run)
        else:
            got = fleet.http.get(url)
            assert got.status_code < 500, f"{path}: {got.text}"
            content = f"{got.headers}\n{got.text}"
        search.look(f"GET {path} for {who}", content)
        asked += 1
    assert asked > 25


def whole_stream(fleet: Fleet, url: str, run: dict[str, Any]) -> str:
    """A run's stream up to its last entry."""
    last, said = fleet.get(f"/runs/{run['id']}")["last_seq"], ""
    with fleet.http.stream("GET", url) as got:
        assert got.status_code == 200, url
        for line in got.iter_lines():
            said += line + "\n"
            if line.strip() == f"id: {last}":
                return said
    return said


def rows_of_every_table(dsn: str) -> Iterator[tuple[str, str]]:
    async def read() -> list[tuple[str, str]]:
        connection = await asyncpg.connect(dsn)
        try:
            tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            found = []
            for table in tables:
                name = table["tablename"]
                rows = await connection.fetch(f'SELECT t::text AS row, t AS raw FROM "{name}" t')
                found += [(name, f"{row['row']} {dict(row['raw'])}") for row in rows]
            activity = await connection.fetch("SELECT query FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
            return found + [("pg_stat_activity", str(row["query"])) for row in activity]
        finally:
            await connection.close()

    yield from asyncio.run(read())


def test_what_is_planted_in_services_is_nowhere_else(
    fleet: Guarded, plants: Plants, echo: Provider, dsn: str, tmp_path: Path
) -> None:
    own = f"{echo.url}#small"
    users = {name: fleet.post("/users", {"name": name})["token"] for name in ("alice", "bob")}
    plants.users = users["alice"]
    fleet.put("/keys/openai-like", {"key": plants.own_server, "base_url": echo.url})

    # The installation's keys, of the environment and of the file: failures of each kind first, then success.
    echo.tricks += [
        refuse(500, "server_error"),
        broken,
        unusable,
        refuse(429, "rate_limit_exceeded"),
        unusable,
        unusable,
    ]
    plain = fleet.ended(play(fleet, own))
    assert plain["status"] == "completed", plain

    with speaking_as(fleet, users["alice"]):
        for name, key in (("openai", plants.kept), ("groq", plants.kept)):
            fleet.put(f"/keys/{name}", {"key": key})
        fleet.put("/keys/openai-like", {"key": plants.own_server, "base_url": echo.url})
        hers = fleet.ended(play(fleet, own, title="hers"))
        assert hers["status"] == "completed", hers
        # A key that is refused, and repeated in the refusal.
        echo.always = refuse(401, "invalid_api_key")
        refused = fleet.ended(play(fleet, own, title="refused"))
        assert refused["status"] == "blocked", refused
        # An engine dies in the middle of a call.
        echo.always, echo.tricks = answer, [silence]
        asked = len(echo.times)
        crashed = play(fleet, own, title="crashed")
        until("a question", lambda: len(echo.times) > asked)
        for name in [name for name in fleet.processes if name.startswith("actor")]:
            fleet.kill(name)
        fleet.start("actor-2")
        assert fleet.ended(crashed)["status"] == "completed"

    search = Search(plants.by_name())
    for pid, line in command_lines().items():
        search.look(f"the command line of process {pid}", line)
    for who, token, runs in (("local", plants.token, [plain]), ("alice", users["alice"], [hers, refused, crashed])):
        with speaking_as(fleet, token):
            for run in runs:
                answers_of_every_route(fleet, search, who, run)
    search.look("GET /metrics", fleet.http.get(f"http://127.0.0.1:{fleet.port}/metrics").text)
    rows = list(rows_of_every_table(dsn))
    assert {"entries", "calls", "request_texts", "model_keys", "users", "events", "runs"} <= {name for name, _ in rows}
    for name, row in rows:
        search.look(f"table {name}", row)
    search.files(tmp_path, but=[plants.keys_file])
    logs = {path.stem: path.read_text() for path in (tmp_path / "fleet").glob("*.log")}
    assert logs.keys() == fleet.processes.keys() | {"actor-1", "actor-2"}
    assert "call_settled" in "".join(logs.values()), "logs that tell of calls were looked at"
    search.nothing()

    # What is searched for was there to be found: the provider has seen all of them, and the story tells of it.
    story = str([row for name, row in rows if name == "entries"])
    assert "I was asked with" in story


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    """In the middle, in part, as hex and as base64: else finding nothing would say nothing."""
    secret = plant("sk-proj-")
    file = tmp_path / "keys.env"
    for text in (secret, f"x{secret[:25]}", secret.encode().hex(), base64.b64encode(secret.encode()).decode()):
        file.write_text(f"there is {text} in it")
        search = Search({"a": secret})
        search.files(tmp_path, but=[file])
        search.nothing()
        search.files(tmp_path)
        with pytest.raises(AssertionError, match=r"a in .*keys\.env"):
            search.nothing()


def test_what_is_planted_around_up_and_run_is_nowhere_else(
    guarded_dsn: str,
    env: dict[str, str],
    tmp_path: Path,
    plants: Plants,
    echo: Provider,
    start: Start,
    cli: Cli,
    dsn: str,
) -> None:
    play_it = tmp_path / "two-doors.yaml"
    play_it.write_text(SCENARIO)
    seen: dict[str, str] = {}
    secret = {"PYSCRAI_SECRET": plants.secret, "PYSCRAI_LOG_LEVEL": "debug"}
    guarded = {"PYSCRAI_DATABASE_URL": guarded_dsn, "PYSCRAI_TOKEN": plants.token}
    models = model_settings(plants, echo)
    choices = [word for seat, model in {**MODELS, "narrator": f"{echo.url}#small"}.items() for word in (
        "--seat", f"{seat}.model={model}", "--price", f"{model}=1,1"
    )]  # fmt: skip

    up = start("up", "--port", "0", "--json", **secret, **guarded, **models)
    told = json.loads(read_until(up.stdout, "api_url"))
    search = Search(plants.by_name())
    children = psutil.Process(up.pid).children(recursive=True)
    api = [child for child in children if "pyscrai_api" in child.cmdline()]
    kinds = {f"pyscrai_{kind}" for kind in ENGINES}
    engines = [child for child in children if kinds & set(child.cmdline())]
    assert len(api) == 1
    assert len(engines) == 3
    for pid, line in command_lines().items():
        search.look(f"the command line of process {pid}", line)
    given = environments()
    for process, names in [
        (api[0], ("environment", "file", "kept")),
        *((one, ("database", "secret")) for one in engines),
    ]:
        apart = Search({name: plants.by_name()[name] for name in names})
        apart.look(f"the environment of {process.cmdline()[-3:]}", given[process.pid])
        apart.nothing()

    here = {"PYSCRAI_API_URL": told["api_url"], "PYSCRAI_TOKEN": plants.token}
    set_key = subprocess.run(
        command("keys", "set", "openai-like", "--base-url", echo.url),
        env=env | here, input=plants.own_server, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert set_key.returncode == 0, set_key.stderr
    seen["keys set"] = set_key.stdout + set_key.stderr
    for words in (
        ["keys"],
        [
            "run",
            str(play_it),
            "--turns",
            "1",
            "--limit",
            "1",
            *choices,
            "--json",
            "--debug",
            "--out",
            str(tmp_path / "one"),
        ],
        ["run", str(play_it), "--turns", "1", "--limit", "1", *choices],
        ["runs", "show", "last"],
        ["runs", "log", "last"],
        ["runs", "export", "last", "--out", str(tmp_path / "two")],
        ["events", "list", "--json"],
        ["engines", "list", "--json"],
        ["doctor"],
    ):
        done = cli(*words, **here)
        assert done.returncode == 0 or words == ["doctor"], f"{words}: {done.stdout} {done.stderr}"
        seen[" ".join(words[:2])] = done.stdout + done.stderr
    # A key that is refused: the run ends, and says so.
    echo.always = refuse(401, "invalid_api_key")
    failed = cli("run", str(play_it), "--turns", "1", "--limit", "1", *choices, "--debug", **here)
    assert failed.returncode == 3, failed.stderr
    assert "key" in (failed.stdout + failed.stderr).lower()
    seen["a failed run"] = failed.stdout + failed.stderr

    data = Path(env["PYSCRAI_DATA"])
    published = data / "api.json"
    assert published.stat().st_mode & 0o077 == 0
    search.files(tmp_path, but=[plants.keys_file, published])
    up.send_signal(signal.SIGTERM)
    seen["up"] = "".join(up.communicate(timeout=60))
    search.files(tmp_path, but=[plants.keys_file])
    for name, text in seen.items():
        search.look(f"what {name} said", text)
    for name, row in rows_of_every_table(dsn):
        search.look(f"table {name}", row)
    search.nothing()
