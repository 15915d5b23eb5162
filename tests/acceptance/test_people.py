"""People, a model and a model that is looked at play one run to its end, through the command line alone."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.fleet import Fleet, fleet, until
from tests.acceptance.terminal import ROOT, SECONDS, command

from pyscrai import HumanActor, Runner, Scenario
from pyscrai.sdk.human import Question

SCENARIO = """
format: pyscrai/scenario@1
name: three-doors
title: Three doors
world: {text: Three doors and one key.}
seats:
  left: {title: Left, role: wants the left door, private: The key is bent.}
  middle: {title: Middle, role: wants the middle door}
  right: {title: Right, role: wants the right door}
schedule: {policy: turns@1, turns: 2, phases: [decision, world_update]}
"""
ANSWERS = """
answers:
  - when: {event_type: decide, seat: SLOW}
    answer: {reasoning: "It is turn {turn}.", goals: [], action: "{seat} pushes, turn {turn}."}
    latency: 600
  - when: {event_type: decide}
    answer: {reasoning: "It is turn {turn}.", goals: [], action: "{seat} pushes, turn {turn}."}
  - when: {event_type: world_update}
    answer: {narrative: "Turn {turn} passes.", facts: {}, changes: []}
"""


class Player:
    """Somebody with a shell: every call is `pyscrai` as a process, against the fleet's API."""

    def __init__(self, machines: Fleet, folder: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYSCRAI_")}
        url = f"http://127.0.0.1:{machines.port}"
        ours = {"PYSCRAI_API_URL": url, "PYSCRAI_DATA": str(folder / "mine"), "PYSCRAI_NO_PAID_MODELS": "1"}
        self.env = {**kept, **ours, "COLUMNS": "80", "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}
        self.scenario = str(folder / "scenario.yaml")
        self.begun: list[subprocess.Popen[str]] = []
        (folder / "scenario.yaml").write_text(SCENARIO)

    def answers(self, folder: Path, slow: str = "nobody") -> str:
        path = folder / f"answers-{slow}.yaml"
        path.write_text(ANSWERS.replace("SLOW", slow))
        return f"scripted:{path}"

    def __call__(self, *args: str, said: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*args), env=self.env, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, input=said
        )

    def json(self, *args: str, said: str | None = None) -> Any:
        done = self(*args, "--json", said=said)
        assert done.returncode == 0, done.stderr
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return lines[0] if len(lines) == 1 else lines

    def start(self, *args: str) -> subprocess.Popen[str]:
        self.begun.append(
            subprocess.Popen(
                command(*args), env=self.env, cwd=ROOT, text=True, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )
        )  # fmt: skip
        return self.begun[-1]

    def asked(self, seat: str, turn: int) -> dict[str, Any] | None:
        found = self.json("inbox", "--seat", seat)
        listed: list[dict[str, Any]] = found if isinstance(found, list) else [found]
        return next((one for one in listed if one["turn"] == turn), None)


@pytest.fixture
def machines(dsn: str, tmp_path: Path) -> Iterator[Fleet]:
    with fleet(dsn, tmp_path / "fleet", PYSCRAI_LEASE_SECONDS="2", PYSCRAI_HEARTBEAT_SECONDS="0.5") as found:
        yield found


@pytest.fixture
def player(machines: Fleet, tmp_path: Path) -> Iterator[Player]:
    found = Player(machines, tmp_path)
    yield found
    for process in found.begun:
        if process.poll() is None:
            process.kill()
        process.communicate()


def says(seat: str, turn: int) -> str:
    """What the scripted model would have said."""
    return json.dumps({"reasoning": f"It is turn {turn}.", "goals": [], "action": f"{seat} pushes, turn {turn}."})


def story(player: Player, run: str) -> list[tuple[str, Any, Any]]:
    return [
        (one["kind"], one["seat"], one["body"]) for one in player.json("runs", "log", run) if one["track"] == "story"
    ]


@pytest.mark.timeout(300)
def test_a_person_a_model_and_an_approved_model_play_one_run(machines: Fleet, player: Player, tmp_path: Path) -> None:
    model = player.answers(tmp_path)
    expected = player.json("run", player.scenario, "--model", model)
    host = player.start("run", player.scenario, "--model", model, "--human", "left", "--approve", "right", "--json")
    until("both people are asked", lambda: player.asked("left", 1) and player.asked("right", 1))
    run = player.json("runs", "list", "--status", "waiting")[0]["id"]
    moved = player.json("play", run, "--seat", "left", "--value", "-", said=says("left", 1))
    assert moved["value"]["action"] == "left pushes, turn 1."
    machines.kill("api")
    machines.start("api")
    until("the API again", machines.ready)
    assert player.asked("right", 1), "what waited before the API died waits still"
    looks = player.start("play", run, "--seat", "Right", "--approve-all", "--json")
    until("the second turn", lambda: player.asked("left", 2))
    player.json("play", run, "--seat", "left", "--value", "-", said=says("left", 2))
    said, complaints = host.communicate(timeout=SECONDS)
    assert host.returncode == 0, complaints
    approved = [json.loads(line) for line in looks.communicate(timeout=SECONDS)[0].splitlines()]
    assert [one["value"]["action"] for one in approved[:-1]] == ["right pushes, turn 1.", "right pushes, turn 2."]
    assert approved[-1]["status"] == json.loads(said)["status"] == "completed"
    assert story(player, run) == story(player, expected["id"])
    assert json.loads(said)["log_digest"] != expected["log_digest"], "the first link says who sat there at the start"
    again = player.json("runs", "replay", run)
    assert again["log_digest"] == json.loads(said)["log_digest"], "a replay takes what people said, too"
    assert not any(machines.get("/health/invariants").values())


@pytest.mark.timeout(300)
def test_a_seat_is_taken_from_a_slow_model_and_the_digest_is_the_same(
    machines: Fleet, player: Player, tmp_path: Path
) -> None:
    expected = player.json("run", player.scenario, "--model", player.answers(tmp_path))
    host = player.start("run", player.scenario, "--model", player.answers(tmp_path, "left"), "--json")
    run = until("the run", lambda: player.json("runs", "list", "--status", "running"))[0]["id"]
    until(
        "the slow call", lambda: any(e["status"] == "processing" for e in machines.get("/events", run_id=run)["items"])
    )
    taken = player.json("runs", "take", run, "left", "--deadline", "1h", "--on-deadline", "model")
    assert (taken["played_by"], taken["asked"]["on_deadline"]) == ("person", "model")
    prepared = "\n".join(says("left", turn) for turn in (1, 2))
    player.json("play", run, "--seat", "left", "--value", "-", said=prepared)
    said, complaints = host.communicate(timeout=SECONDS)
    assert host.returncode == 0, complaints
    assert json.loads(said)["log_digest"] == expected["log_digest"]
    assert not any(machines.get("/health/invariants").values())


class Terminal:
    """`pyscrai` in a pseudo terminal, and what it shows."""

    def __init__(self, player: Player, *args: str) -> None:
        self.shown = ""
        master, slave = pty.openpty()
        self.process = subprocess.Popen(
            command(*args), env=player.env, cwd=ROOT, stdin=slave, stdout=slave, stderr=slave
        )
        os.close(slave)
        self.master = master

    def until(self, words: str) -> None:
        def read() -> bool:
            ready, _, _ = select.select([self.master], [], [], 0.2)
            if ready:
                try:
                    self.shown += os.read(self.master, 65536).decode("utf-8", "replace")
                except OSError:  # the other end is closed
                    return words in self.shown
            return words in self.shown

        try:
            until(repr(words), read)
        except AssertionError as error:
            raise AssertionError(f"{error}; it shows {self.shown[-1000:]!r}") from None
        self.shown = self.shown.partition(words)[2]

    def type(self, line: str) -> None:
        os.write(self.master, f"{line}\n".encode())

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.master)


@pytest.mark.timeout(300)
def test_in_a_terminal_a_draft_is_found_again_and_what_follows_is_shown(
    machines: Fleet, player: Player, tmp_path: Path
) -> None:
    model = player.answers(tmp_path)
    player.start("run", player.scenario, "--model", model, "--human", "left", "--turns", "1", "--json")
    until("the question", lambda: player.asked("left", 1))
    first = Terminal(player, "play", "last", "--seat", "left")
    try:
        first.until("The key is bent.")
        first.until("What you do: ")
        first.type("I push, gently.")
        first.until("1. ")
        first.type(":quit")
        first.until("What you typed is kept")
    finally:
        first.close()
    found = player.asked("left", 1)
    assert found is not None
    assert found["draft"]
    second = Terminal(player, "play", "last")
    try:
        second.until("What you do [I push, gently.]: ")
        second.type("")
        second.until("1. ")
        second.type("")
        second.until("Why: ")
        second.type("Because.")
        second.until("Send it? [Y/n] ")
        second.type("")
        second.until("accepted")
        second.until("I push, gently.")
        second.until("is completed")
        assert second.process.wait(timeout=SECONDS) == 0
    finally:
        second.close()


@pytest.mark.timeout(300)
def test_people_answer_in_a_program(machines: Fleet, player: Player, tmp_path: Path) -> None:
    expected = player.json("run", player.scenario, "--model", player.answers(tmp_path))
    questions: list[Question] = []

    def decides(question: Question) -> dict[str, Any]:
        questions.append(question)
        found: dict[str, Any] = json.loads(says("left", question.turn))
        return found

    async def nods(question: Question) -> None:
        assert question.proposed == json.loads(says("right", question.turn))

    def fails(question: Question) -> None:
        raise LookupError(f"nobody is here for {question.title}")

    people = {"left": HumanActor("Lea", decides), "right": HumanActor("Rob", nods, approve=True)}
    with Runner(f"http://127.0.0.1:{machines.port}") as runner:
        scenario = Scenario.load(player.scenario)
        played = runner.run(scenario, model=player.answers(tmp_path), human_actors=people)
        with pytest.raises(LookupError):
            runner.run(scenario, model=player.answers(tmp_path), human_actors={"left": HumanActor("Lea", fails)})
    assert played.status == "completed"
    assert [(question.title, question.turn) for question in questions] == [("Left", 1), ("Left", 2)]
    assert "The key is bent." in str(questions[0].view)
    assert story(player, played.id) == story(player, expected["id"])
    assert player.json("runs", "list")[0]["status"] == "paused", "nobody watches a run whose person failed"


@pytest.mark.timeout(300)
def test_nobody_comes_and_the_model_moves_at_the_deadline(machines: Fleet, player: Player, tmp_path: Path) -> None:
    model = player.answers(tmp_path)
    expected = player.json("run", player.scenario, "--model", model)
    alone = ("--human", "left", "--deadline", "1s", "--on-deadline", "model")
    played = player.json("run", player.scenario, "--model", model, *alone)
    assert played["status"] == "completed"
    assert story(player, played["id"]) == story(player, expected["id"])
    skipped = player.json("run", player.scenario, "--model", model, *alone[:-1], "skip")
    decided = [seat for kind, seat, _ in story(player, skipped["id"]) if kind == "decision"]
    assert decided == ["middle", "right"] * 2
    assert not any(machines.get("/health/invariants").values())
