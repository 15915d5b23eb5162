"""The command line as people use it: real processes, a real database, a terminal, real signals."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys

from tests.acceptance.terminal import ROOT, SECONDS, Cli, Doors, House, Start, command, read_until
from tests.acceptance.test_kills import query


def test_an_example_plays_to_its_end_and_again_to_the_same_digest(cli: Cli) -> None:
    shown = cli("run", "negotiation", "--turns", "2", "--seed", "7")
    assert shown.returncode == 0, shown.stderr
    for text in ("rehearsal model: no key, no cost", "━━ Turn 2 of 2", "World", "Log digest", "seed 7"):
        assert text in shown.stdout
    assert "\x1b" not in shown.stdout
    again = cli("run", "negotiation", "--turns", "2", "--seed", "7", "--json")
    answer = json.loads(again.stdout)
    assert answer["log_digest"] in shown.stdout
    assert (answer["run"], answer["turns"], answer["total_cost"]) == ("negotiation/run-002", 2, "0.0000000000")
    page = cli("runs", "show", "run-001").stdout
    body = shown.stdout[shown.stdout.index("━━ Turn 1") : shown.stdout.index("━━ The end")]
    assert body.strip() in page


def test_ctrl_c_pauses_and_resume_plays_on_to_the_digest_of_an_undisturbed_run(
    cli: Cli, start: Start, doors: Doors, house: House
) -> None:
    scenario, slow = doors(1)
    process = start("run", scenario, "--model", slow)
    read_until(process.stdout, "Turn 2 of 3")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 130, err
    assert "two-doors/run-001 is paused" in err
    assert "pyscrai runs resume two-doors/run-001" in err
    assert "Traceback" not in out + err
    resumed = cli("runs", "resume", "two-doors/run-001", "--json")
    assert resumed.returncode == 0, resumed.stderr
    _, quick = doors(0)
    undisturbed = house.cli("run", scenario, "--model", quick, "--json")
    assert json.loads(resumed.stdout)["log_digest"] == json.loads(undisturbed.stdout)["log_digest"]


def test_a_second_ctrl_c_quits_at_once(start: Start, dsn: str, doors: Doors) -> None:
    scenario, never = doors(3600)
    process = start("run", scenario, "--model", never)
    read_until(process.stdout, "Turn 1 of 3")
    process.send_signal(signal.SIGINT)
    read_until(process.stderr, "is paused")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert query(dsn, "SELECT status FROM runs") == [{"status": "paused"}]


def test_a_run_too_many_waits_for_a_place_and_then_plays(start: Start, cli: Cli, doors: Doors) -> None:
    scenario, never = doors(3600)
    first = start("run", scenario, "--model", never, PYSCRAI_RUNS_AT_ONCE="1")
    read_until(first.stdout, "Turn 1 of 3")
    _, quick = doors(0)
    second = start("run", scenario, "--model", quick, "--json", PYSCRAI_RUNS_AT_ONCE="1")
    read_until(second.stderr, "Waiting for a place: 1 of your runs play; at most 1 at once (PYSCRAI_RUNS_AT_ONCE)")
    assert [run["status"] for run in json.loads(cli("runs", "list", "--json").stdout)] == ["pending", "running"]
    first.send_signal(signal.SIGINT)
    out, err = second.communicate(timeout=SECONDS)
    assert (second.returncode, json.loads(out)["status"]) == (0, "completed"), err


def test_up_serves_other_commands_and_stops_on_ctrl_c(cli: Cli, start: Start, doors: Doors) -> None:
    up = start("up", "--port", "0", "--json")
    url = json.loads(read_until(up.stdout, "api_url"))["api_url"]
    scenario, quick = doors(0)
    ran = cli("run", scenario, "--model", quick)
    assert ran.returncode == 0, ran.stderr
    assert "engines 1 actor, 1 narrator, 1 analyst" in ran.stdout
    engines = {line["name"]: line for line in json.loads(cli("doctor", "--json", "--no-start").stdout)}
    assert engines["API"]["detail"] == f"answers at {url}"
    assert engines["Engines"]["state"] == engines["Invariants"]["state"] == "ok"
    listed = json.loads(cli("runs", "list", "--json").stdout)
    assert [run["label"] for run in listed] == ["run-001"]
    watched = cli("runs", "watch", "last", "--json")
    assert json.loads(watched.stdout.splitlines()[-1])["kind"] == "run_complete"
    up.send_signal(signal.SIGINT)
    up.communicate(timeout=SECONDS)
    assert up.returncode == 0
    assert "none runs here" in cli("doctor", "--no-start").stdout


def test_no_database_is_one_message(cli: Cli, doors: Doors) -> None:
    scenario, quick = doors(0)
    done = cli("run", scenario, "--model", quick, PYSCRAI_DATABASE_URL="postgresql://nobody@127.0.0.1:9/none")
    assert done.returncode == 1
    assert "127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_price_is_refused_with_what_to_do(house: House) -> None:
    done = house.cli("run", "negotiation", "--model", "http://127.0.0.1:9/v1#mine", "--limit", "1")
    assert done.returncode == 1
    assert "--price" in done.stderr


def test_on_a_terminal_a_status_line_comes_and_goes(env: dict[str, str], doors: Doors) -> None:
    scenario, slow = doors(1)
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        command("run", scenario, "--model", slow, "--turns", "1"),
        env=env | {"TERM": "xterm-256color"},
        cwd=ROOT,
        stdin=follower,
        stdout=follower,
        stderr=subprocess.DEVNULL,
    )
    os.close(follower)
    seen = b""
    try:
        while chunk := os.read(leader, 65536):
            seen += chunk
    except OSError:  # a closed terminal reads as an input error
        assert process.wait(SECONDS) == 0
    finally:
        os.close(leader)
    text = seen.decode()
    assert re.search(r"[⠋-⠿] Turn 1 of 1 · Left and Right are deciding", text)
    assert "\x1b[2K" in text
    last = text[text.index("Outcome") :]
    assert "deciding" not in last


def test_the_sdk_starts_what_it_needs_and_leaves_nothing_behind(env: dict[str, str]) -> None:
    script = (
        "from pyscrai import Runner, Scenario\n"
        "scenario = Scenario.load('templates/scenarios/negotiation')\n"
        "runner, turns = Runner(), []\n"
        "@runner.on('turn_complete')\n"
        "async def log_turn(event):\n"
        "    turns.append(event.data['turn'])\n"
        "first = runner.run(scenario, end_turn=2, credit_limit=5.0)\n"
        "again = runner.run(scenario, end_turn=2)\n"
        "assert turns == [1, 2, 1, 2], turns\n"
        "assert first.log_digest == again.log_digest\n"
        "import os\n"
        "print(os.getpid())\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env=env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    group = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert env["PYSCRAI_DATA"] not in group
