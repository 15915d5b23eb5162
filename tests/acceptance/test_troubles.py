"""What goes wrong for people: one message that says what to do, no stack trace, and nothing lost.

Each run is taken up again after its cause is mended, and ends with the digest of one that was never disturbed.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import socket
import string
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import yaml
from tests.acceptance.provider import KEY, Provider, drop, provider, silence, too_many
from tests.acceptance.terminal import SCENARIO, SECONDS, Cli, House, Start, read_until, run_to_its_end
from tests.acceptance.test_kills import query

from pyscrai.embedded.account import server_account
from pyscrai.embedded.cluster import clusters_home
from pyscrai.embedded.database import embedded_database, remove_database, stop_database
from pyscrai.embedded.folder import Folder
from pyscrai.machine.files import private_folder

FAILED, USAGE, STANDS_STILL = 1, 2, 3
RESUME = "pyscrai runs resume two-doors/run-001"
GOOD: list[dict[str, Any]] = [
    {
        "when": {"event_type": "decide"},
        "answer": {"reasoning": "Turn {turn}.", "goals": [], "action": "{seat} pushes, turn {turn}."},
    },
    {"when": {"event_type": "world_update"}, "answer": {"narrative": "Turn {turn}.", "facts": {}, "changes": []}},
]
BROKEN = '{"action": "I pu'


@pytest.fixture
def scenario(tmp_path: Path) -> str:
    path = tmp_path / "scenario.yaml"
    path.write_text(SCENARIO)
    return str(path)


@dataclass(frozen=True)
class Guest:
    """A user of the house, for troubles that are the same whoever started it. `number`: of the run they will begin."""

    house: House
    number: int

    @property
    def cli(self) -> Cli:
        return self.house.cli

    @property
    def run(self) -> str:
        return f"two-doors/run-{self.number:03d}"

    @property
    def resume(self) -> str:
        return f"pyscrai runs resume {self.run}"

    def query(self, text: str) -> list[dict[str, Any]]:
        """`$1` is the run's id."""
        (run,) = query(self.house.dsn, "SELECT id FROM runs WHERE number = $1", self.number)
        return query(self.house.dsn, text, run["id"])


@pytest.fixture
def guest(house: House) -> Guest:
    return Guest(house, query(house.dsn, "SELECT coalesce(max(number), 0) + 1 AS next FROM runs")[0]["next"])


def write_script(path: Path, *special: dict[str, Any]) -> str:
    """A script whose special answers come before the good ones; returns the model's name."""
    path.write_text(yaml.safe_dump({"answers": [*special, *GOOD]}))
    return f"scripted:{path}"


def one_message(done: CompletedProcess[str], code: int, *words: str) -> str:
    """What was said: the words, each in the same output, the exit code, and nothing that frightens people."""
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    assert "Traceback" not in said
    assert "Exception" not in said
    unwrapped = " ".join(said.split())
    for text in words:
        assert text in unwrapped, said
    return unwrapped


def digest_of(done: CompletedProcess[str]) -> str:
    """The digest of a run that was played to its end."""
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads(done.stdout)
    assert answer["status"] == "completed"
    return str(answer["log_digest"])


_undisturbed: dict[str, str] = {}


def undisturbed(cli: Cli, scenario: str, folder: Path) -> str:
    """The digest of the scripted story; it is the same on every database, so it is played once."""
    if "scripted" not in _undisturbed:
        model = write_script(folder / "undisturbed.yaml")
        _undisturbed["scripted"] = digest_of(cli("run", scenario, "--model", model, "--json"))
    return _undisturbed["scripted"]


def undisturbed_at(server: Provider, cli: Cli, scenario: str) -> str:
    """The same of the provider's story."""
    if "provider" not in _undisturbed:
        _undisturbed["provider"] = digest_of(cli("run", scenario, *at(server), "--json"))
    return _undisturbed["provider"]


def at(server: Provider) -> list[str]:
    """Options that play with the model at this server, whose price has to be declared."""
    return ["--model", f"{server.url}#door-keeper", "--price", f"{server.url}#door-keeper=1,2", "--limit", "1"]


def openai(server: Provider, key: str = "") -> dict[str, str]:
    return {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": key}


# ── models ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_missing_key(cli: Cli, house: House, scenario: str) -> None:
    with provider(key=KEY) as server:
        options = ["run", scenario, "--model", "gpt-4o-mini", "--limit", "1"]
        said = one_message(cli(*options, **openai(server)), STANDS_STILL, "OPENAI_API_KEY is not set", RESUME)
        assert "Set the key" in said
        assert not server.times, "nothing is sent without a key"
        resumed = cli("runs", "resume", "last", "--json", **openai(server, KEY))
        server.key = ""
        assert digest_of(resumed) == undisturbed_at(server, house.cli, scenario)


def test_a_wrong_key(cli: Cli, house: House, scenario: str) -> None:
    with provider(key=KEY) as server:
        options = ["run", scenario, "--model", "gpt-4o-mini", "--limit", "1"]
        said = one_message(cli(*options, **openai(server, "sk-wrong-secret-0123456789")), STANDS_STILL, RESUME)
        assert "Incorrect API key provided. [invalid_api_key] (the key was not accepted)" in said
        assert "Check the key" in said
        assert "secret" not in said
        assert len(server.times) == 2, "a refused key is not tried again: one call for each seat"
        resumed = cli("runs", "resume", "last", "--json", **openai(server, KEY))
        server.key = ""
        assert digest_of(resumed) == undisturbed_at(server, house.cli, scenario)


def test_an_unreachable_provider(guest: Guest, scenario: str) -> None:
    with provider() as server:
        port, options = server.server_address[1], at(server)
    done = guest.cli("run", scenario, *options)
    one_message(done, STANDS_STILL, "nobody answers", "Is the server running?", "Check the address", guest.resume)
    assert guest.query("SELECT DISTINCT state, cost FROM calls WHERE run_id = $1") == [{"state": 4, "cost": 0}], (
        "nothing was sent"
    )
    with provider(port) as back:
        resumed = guest.cli("runs", "resume", guest.run, "--json")
        assert digest_of(resumed) == undisturbed_at(back, guest.cli, scenario)


def test_broken_json_twice_blocks_after_its_tries_and_loses_nothing(
    guest: Guest, scenario: str, tmp_path: Path
) -> None:
    script = tmp_path / "answers.yaml"
    model = write_script(script, {"when": {"seat": "left", "turn": 2}, "answer": BROKEN})
    done = guest.cli("run", scenario, "--model", model)
    said = one_message(done, STANDS_STILL, "There is no complete JSON object in the answer", guest.resume)
    assert "decide of Left failed for good" in said
    assert "left pushes, turn 1." in said, "what was played before is shown"
    dead = guest.query(
        "SELECT q.failures, q.state FROM queue q JOIN events e ON e.id = q.id WHERE q.run_id = $1 AND e.seat = 'left'"
    )
    assert dead == [{"failures": 3, "state": 6}], "retried, then a dead letter"
    write_script(script)
    resumed = guest.cli("runs", "resume", guest.run, "--json")
    assert digest_of(resumed) == undisturbed(guest.cli, scenario, tmp_path)


@pytest.mark.parametrize("broken", [{"call": 1}, {"try": 1}], ids=["repaired", "tried again"])
def test_broken_json_once_is_no_trouble(guest: Guest, scenario: str, tmp_path: Path, broken: dict[str, int]) -> None:
    model = write_script(tmp_path / "answers.yaml", {"when": {"seat": "left", "turn": 2} | broken, "answer": BROKEN})
    done = guest.cli("run", scenario, "--model", model, "--json")
    assert digest_of(done) == undisturbed(guest.cli, scenario, tmp_path)


def test_another_model_mends_a_run_whose_model_is_gone(guest: Guest, scenario: str, tmp_path: Path) -> None:
    with provider() as server:
        options = at(server)
    done = guest.cli("run", scenario, *options)
    one_message(done, STANDS_STILL, "nobody answers", guest.resume)
    model = write_script(tmp_path / "answers.yaml")
    unpriced = f"{server.url}#nobody-knows-it"
    one_message(guest.cli("runs", "resume", guest.run, "--model", unpriced), FAILED, "no price is known", "--price")
    one_message(
        guest.cli("runs", "resume", guest.run, "--seat", "lft.model=rehearsal"), FAILED, "no such seat", "left, right"
    )
    shown = guest.cli("runs", "resume", guest.run, "--model", model)
    one_message(shown, 0, "Everyone answers with scripted:", "from now on", "Log digest")
    assert undisturbed(guest.cli, scenario, tmp_path) in shown.stdout


def test_another_model_for_one_seat(guest: Guest, scenario: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    model = write_script(broken, {"when": {"seat": "left"}, "fail": "refused"})
    one_message(
        guest.cli("run", scenario, "--model", model), STANDS_STILL, "decide of Left failed for good", guest.resume
    )
    good = write_script(tmp_path / "good.yaml")
    resumed = guest.cli("runs", "resume", guest.run, "--seat", f"left.model={good}", "--json")
    assert digest_of(resumed) == undisturbed(guest.cli, scenario, tmp_path)


def test_too_many_requests_wait_as_long_as_the_provider_says(guest: Guest, scenario: str) -> None:
    with provider() as server:
        server.tricks = [too_many(3), too_many(3)]
        digest = digest_of(guest.cli("run", scenario, *at(server), "--json"))
        first, _, again, _ = server.times[:4]
        assert again - first >= 3, "both seats were asked to wait, and nobody came back before that"
        assert digest == undisturbed_at(server, guest.cli, scenario)


def test_dropped_connections_are_tried_again(guest: Guest, scenario: str) -> None:
    with provider() as server:
        server.tricks = [drop, drop]
        digest = digest_of(guest.cli("run", scenario, *at(server), "--json"))
        assert guest.query(
            "SELECT count(*) AS dropped FROM calls WHERE run_id = $1 AND state = 3 AND cost = reserved"
        ) == [{"dropped": 2}], "nobody knows what a call cost whose answer was lost: it is charged at its bound"
        assert digest == undisturbed_at(server, guest.cli, scenario)


def test_a_provider_that_never_answers(cli: Cli, house: House, scenario: str) -> None:
    with provider() as server:
        server.always = silence
        done = cli("run", scenario, *at(server), PYSCRAI_CALL_SECONDS="0.5")
        one_message(done, STANDS_STILL, "no answer within 0.5 s", "Resume to try again", RESUME)
        server.always = None
        resumed = cli("runs", "resume", "last", "--json")
        assert digest_of(resumed) == undisturbed_at(server, house.cli, scenario)


# ── what people write ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("typo", "place", "hint"),
    [
        (("schedule:", "schedul:"), "scenario.yaml:9:1:", 'did you mean "schedule"?'),
        (("turns: 3", "turns: three"), "scenario.yaml:9:36:", "a whole number is wanted here"),
        (("turns@1", "turn@1"), "scenario.yaml:9:20:", 'did you mean "turns@1"?'),
        (("{title: Left, role", "{titel: Left, role"), "scenario.yaml:7:10:", 'did you mean "title"?'),
    ],
)
def test_a_typo_in_a_scenario(cli: Cli, dsn: str, scenario: str, typo: tuple[str, str], place: str, hint: str) -> None:
    Path(scenario).write_text(SCENARIO.replace(*typo))
    for words in (("run", scenario), ("validate", scenario)):
        said = one_message(cli(*words, COLUMNS="200"), FAILED, hint)
        assert place in said
    assert query(dsn, "SELECT count(*) AS runs FROM runs") == [{"runs": 0}], "nothing was started"


# ── the machine ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("service", ["up", "api"])
def test_a_port_in_use(cli: Cli, service: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = cli(service, "--port", str(port))
    said = one_message(done, FAILED, f"ort {port} on 127.0.0.1 is in use", "--port")
    assert done.stdout == ""
    assert len(said) < 400, "one message"


def test_a_wrong_password_of_the_database(cli: Cli, scenario: str, dsn: str) -> None:
    parts = urlsplit(dsn)
    wrong = urlunsplit(parts._replace(netloc=f"{parts.username}:wrong-secret@{parts.hostname}:{parts.port}"))
    for words in (("run", scenario), ("up", "--port", "0"), ("api", "--port", "0")):
        done = cli(*words, PYSCRAI_DATABASE_URL=wrong)
        said = one_message(done, FAILED, "refuses the user or the password")
        assert "wrong-secret" not in said


def test_no_such_database(cli: Cli, scenario: str, dsn: str) -> None:
    nowhere = urlunsplit(urlsplit(dsn)._replace(path="/nowhere"))
    for words in (("run", scenario), ("doctor",), ("api", "--port", "0")):
        one_message(cli(*words, PYSCRAI_DATABASE_URL=nowhere), FAILED, "there is no database of that name")


PATIENCE = ["--patience", "2"]
NO_GRACE = {"PYSCRAI_GRACE_SECONDS": "0"}
"""What engines cannot report when they end is asked for again by others."""
SLOW = 0.5
ROOM_MB = 150


def slow_script(path: Path, size: int = 0) -> str:
    """Answers take a while, so that there is a middle of the run to disturb; `size` characters make them heavy."""
    chance = random.Random(1)
    ballast = "".join(chance.choices(string.ascii_letters, k=size))
    answers = [{**entry, "latency": SLOW} for entry in GOOD]
    answers[0] = {**answers[0], "answer": {**answers[0]["answer"], "reasoning": f"{{seat}} {{turn}} {ballast}"}}
    path.write_text(yaml.safe_dump({"answers": answers}))
    return f"scripted:{path}"


@contextmanager
def small_disk(data: Path) -> Iterator[Path]:
    """A disk of its own for the embedded database of a data folder, where the test may mount one."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    home = clusters_home(Folder(private_folder(data)), server_account())
    home.mkdir(mode=0o755, parents=True, exist_ok=True)
    size = f"size={ROOM_MB}m,mode=755"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", home], check=False).returncode != 0:
        pytest.skip("mounting is not allowed here")
    try:
        yield home
    finally:
        stop_database(data)
        subprocess.run(["umount", home], check=True)
        remove_database(data)


def fill(disk: Path) -> Path:
    """Take all the room that there is; returns the file to delete to give it back."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for block in (1 << 20, 1 << 12):
            with pytest.raises(OSError, match="No space left"):
                file.writelines(itertools.repeat(b"x" * block))
    return ballast


@pytest.mark.timeout(300)
def test_a_full_disk(start: Start, env: dict[str, str], house: House, scenario: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    own = {"PYSCRAI_DATABASE_URL": "", "PYSCRAI_DATA": str(data)}
    model = slow_script(tmp_path / "answers.yaml", size=1_900)
    with small_disk(data) as disk:
        process = start("run", scenario, "--model", model, "--no-thoughts", *PATIENCE, **own, **NO_GRACE)
        read_until(process.stdout, "Turn 2 of 3")
        ballast = fill(disk)
        out, err = process.communicate(timeout=SECONDS)
        done = CompletedProcess(process.args, process.returncode, out, err)
        said = one_message(done, FAILED, "the database has no room left", RESUME)
        assert "When that is mended" in said
        ballast.unlink()

        def cli(*words: str) -> CompletedProcess[str]:
            return run_to_its_end(env | own, *words)

        resumed = digest_of(cli("runs", "resume", "last", "--json"))
        assert resumed == digest_of(house.cli("run", scenario, "--model", model, "--json"))
        found = {line["name"]: line["state"] for line in json.loads(cli("doctor", "--json").stdout)}
        assert found["Invariants"] == "ok"


@pytest.mark.timeout(300)
def test_a_database_that_is_gone_for_good(
    start: Start, env: dict[str, str], house: House, scenario: str, tmp_path: Path
) -> None:
    model = slow_script(tmp_path / "answers.yaml")
    data = tmp_path / "server"
    try:
        with embedded_database(data) as dsn:
            process = start("run", scenario, "--model", model, *PATIENCE, PYSCRAI_DATABASE_URL=dsn, **NO_GRACE)
            read_until(process.stdout, "Turn 2 of 3")
            stop_database(data)
            out, err = process.communicate(timeout=SECONDS)
        done = CompletedProcess(process.args, process.returncode, out, err)
        one_message(done, FAILED, "the database does not answer", "When that is mended", RESUME)
        with embedded_database(data) as dsn:
            own = env | {"PYSCRAI_DATABASE_URL": dsn}
            resumed = digest_of(run_to_its_end(own, "runs", "resume", "last", "--json"))
    finally:
        remove_database(data)
    assert resumed == digest_of(house.cli("run", scenario, "--model", model, "--json"))
