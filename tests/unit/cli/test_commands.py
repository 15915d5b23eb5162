"""The command line: parsing, exit codes, what goes to stdout and what to stderr."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from tests.unit.cli.recorded import NEGOTIATION, Recorder, negotiation, run
from tests.unit.sdk.fake_api import FakeApi

from pyscrai.cli.main import COMMANDS, cli, run_command
from pyscrai.cli.talk import Talk
from pyscrai.client.api import Api
from pyscrai.client.http import Http
from pyscrai.contract.runs import Trouble
from pyscrai.formats.load import load
from pyscrai.sdk.place import Place

API = ("--api-url", "http://api.test")
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    fake = FakeApi(run(), negotiation(), NEGOTIATION)
    monkeypatch.setattr(Place, "api", lambda place: Api(Http(place.api_url, transport=fake.transport)))
    fake.catalog["frontier-rules"] = NEGOTIATION
    return fake


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command line; (exit code, stdout, stderr)."""
    monkeypatch.delenv("PYSCRAI_API_URL", raising=False)
    monkeypatch.setenv("COLUMNS", "80")

    def call(*args: str) -> tuple[int, str, str]:
        code = run_command(list(args), Talk())
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_help_names_every_command_and_loads_nothing_heavy() -> None:
    script = (
        "import sys; from pyscrai.cli.main import run_command, Talk; code = run_command(['--help'], Talk());"
        "heavy = {'rich', 'pydantic', 'httpx', 'yaml', 'anyio', 'asyncio', 'liquid'} & set(sys.modules);"
        "sys.exit(f'{heavy}' if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(name in done.stdout for name in COMMANDS)


def every_command() -> dict[str, click.Command]:
    """`runs export` and so on → the command."""
    found: dict[str, click.Command] = {}
    context = click.Context(cli, info_name="pyscrai")
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        found[name] = command
        for below, inner in command.commands.items() if isinstance(command, click.Group) else ():
            found[f"{name} {below}"] = inner
    return found


def test_no_command_has_an_option_twice_and_each_takes_json() -> None:
    for name, command in every_command().items():
        options = [option for parameter in command.params for option in parameter.opts]
        assert len(options) == len(set(options)), name
        if not isinstance(command, click.Group) and name not in ("api", "engine"):
            assert "--json" in options, name


def test_every_help_has_examples_that_fit_on_a_terminal(command: Command) -> None:
    for name in COMMANDS:
        if name not in ("api", "engine"):
            _, out, _ = command(name, "--help")
            assert "Examples:" in out, name
            assert [line for line in out.splitlines() if len(line) > 80] == [], name


@pytest.mark.parametrize("words", [[name] for name in COMMANDS if name not in ("api", "engine")] + [["runs", "resume"]])
def test_every_command_has_help(command: Command, words: list[str]) -> None:
    code, out, _ = command(*words, "--help")
    assert code == 0
    assert "Usage: pyscrai" in out


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["rum"], "Did you mean 'run'?"),
        (["run"], "Missing argument"),
        (["run", "x", "--limit", "many"], "US dollars"),
        (["events", "post", "--payload", "[1]"], "JSON object"),
        (["events", "post", "--payload", "{1}"], "not JSON"),
        (["templates", "list", "cooks"], "agents, scenarios, event-types"),
        (["templates", "add", "no/such/file.yaml"], "there is no file or folder"),
        (["run", "x", "--seat", "regulator=3"], "NAME.KEY=VALUE"),
        (["run", "x", "--price", "gpt=1"], "MODEL=IN,OUT"),
        (["run", "x", "--price", "gpt=1,2,cached=3"], "gpt: 'cached=3': after IN,OUT write"),
        (["run", "x", "--engines", "cook=1"], "actor"),
        (["run", "no/such/file.yaml"], "there is no file or folder"),
        (["engine", "cook"], "actor|narrator|analyst"),
    ],
)
def test_usage_mistakes_exit_2_with_one_message(command: Command, args: list[str], words: str) -> None:
    code, out, err = command(*args)
    assert (code, out) == (2, "")
    assert words in err
    assert "Traceback" not in err


def test_a_run_is_shown_and_ends_with_0(command: Command, api: FakeApi) -> None:
    code, out, err = command("run", "frontier-rules", *API, "--turns", "2", "--seed", "7")
    assert code == 0
    for text in ("no key, no cost", "━━ Turn 2 of 2", "Signs.", "Outcome", "agreement after 2 turns", "9f3a27c1" * 8):
        assert text in out
    assert "No actor and no narrator and no analyst engine is registered" in err
    assert "\x1b" not in out


def test_json_of_a_run_is_one_object_on_stdout(command: Command, api: FakeApi) -> None:
    code, out, _ = command("run", "frontier-rules", *API, "--json")
    answer = json.loads(out)
    assert code == 0
    assert (answer["run"], answer["status"], answer["total_cost"]) == ("frontier-rules/run-003", "completed", "0.0042")
    assert answer["metrics"]["trust"] == 0.71
    assert set(answer["seconds"]) == {"start_up", "play"}


def test_choices_reach_the_api(command: Command, api: FakeApi) -> None:
    command(
        *("run", "frontier-rules", *API, "--quiet", "--model", "gpt-4o-mini", "--credit-limit", "0.50"),
        *("--seat", "regulator.model=rehearsal", "--seat", "regulator.temperature=0.2"),
        *("--price", "gpt-4o-mini=0.15,0.60,cached_input=0.075", "--end-turn", "2"),
    )
    (posted,) = api.called("POST", "/runs")
    choices = posted["choices"]
    assert (choices["model"], choices["limit"], choices["turns"]) == ("gpt-4o-mini", "0.50", 2)
    assert choices["seats"]["regulator"] == {"model": "rehearsal", "temperature": 0.2}
    price = choices["prices"]["gpt-4o-mini"]
    assert (price["input"], price["output"], price["cached_input"]) == ("0.15", "0.60", "0.075")


def test_a_model_that_is_none_is_refused_with_candidates(command: Command, api: FakeApi) -> None:
    code, _, err = command("run", "frontier-rules", *API, "--model", "rehearsl")
    assert code == 1
    assert "did you mean rehearsal?" in err
    assert api.called("POST", "/runs") == []


def test_a_blocked_run_exits_3_and_says_what_to_do(command: Command, api: FakeApi) -> None:
    trouble = Trouble(code="model_key_missing", message="openai:gpt-4o: OPENAI_API_KEY is not set", seat="regulator")
    api.final = run(status="blocked", outcome=None, reason=trouble)
    api.log = Recorder().add("run_started", {}).add("run_blocked", {"message": "OPENAI_API_KEY is not set"}).entries
    code, out, _ = command("run", "frontier-rules", *API)
    assert code == 3
    assert "OPENAI_API_KEY is not set" in out
    assert "pyscrai runs resume frontier-rules/run-003" in out
    api.delivered = 0
    code, out, err = command("run", "frontier-rules", *API, "--json")
    assert code == 3
    assert json.loads(out)["reason"]["code"] == "model_key_missing"
    assert json.loads(err.splitlines()[-1])["error"]["code"] == "model_key_missing"


def test_mistakes_in_a_scenario_are_listed_with_file_and_line(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text("format: pyscrai/scenario@1\nname: small\nseats:\n  one:\n    goal: [win]\n    goals: {a: 1}\n")
    for args in (["run", str(file), *API], ["validate", str(file)]):
        code, out, err = command(*args)
        assert code == 1
        assert "scenario.yaml:6:" in out + err
    code, out, _ = command("validate", "--json", str(file))
    (answer,) = json.loads(out)
    assert (code, answer["valid"]) == (1, False)
    assert {"file", "line", "path", "message", "hint"} <= set(answer["findings"][0])


def test_lint_says_more_than_validate_and_fails_only_where_it_is_asked_to(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    seats = "  agent:\n    role: asks\n    principal: {name: Agent}\n    goals: [ask]\n  other: {goals: [x]}\n"
    file.write_text(f"format: pyscrai/scenario@1\nname: small\nworld: {{text: Here.}}\nseats:\n{seats}")
    code, out, _ = command("validate", "--strict", str(file))
    assert (code, "principal" in out) == (0, False)
    code, out, _ = command("lint", str(file))
    assert code == 0
    assert "scenario.yaml:7:" in out
    assert "named like its principal" in " ".join(out.split())
    code, out, _ = command("lint", "--strict", "--json", str(file))
    (answer,) = json.loads(out)
    assert (code, answer["valid"], answer["findings"][0]["severity"]) == (1, False, "warning")
    assert command("lint", "negotiation", "prior-authorization")[0] == 0
    assert command("lint", str(tmp_path / "none.yaml"))[0] == 1


def test_upgrade_writes_what_plays_the_same(command: Command, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.json"
    agents = [{"agentId": name, "goals": ["win"], "colour": "red"} for name in ("one", "two")]
    theirs.write_text(json.dumps({"metadata": {"id": "duel.v1", "title": "Duel"}, "agents": agents}))
    ours = tmp_path / "ours" / "scenario.yaml"
    code, out, err = command("upgrade", str(theirs), "--out", str(ours), "--json")
    answer = json.loads(out)
    assert (code, answer["name"], answer["dialect"], answer["file"]) == (0, "duel.v1", "conversation", str(ours))
    assert "colour" in err
    assert load(ours).scenario == load(theirs).scenario
    assert command("upgrade", str(theirs))[1] == ours.read_text()
    assert command("upgrade", str(theirs), "--out", str(ours))[0] == 2
    theirs.write_text("- no\n- scenario\n")
    code, out, err = command("upgrade", str(theirs))
    assert (code, out) == (1, "")
    assert "no scenario" in err


def test_runs_show_list_log_and_watch(command: Command, api: FakeApi) -> None:
    api.delivered = len(api.log)
    code, out, _ = command("runs", "show", "run-003", *API)
    assert code == 0
    assert "Money by turn" in out
    assert "The paper is signed." in out
    code, out, _ = command("runs", "list", *API)
    assert "frontier-rules/run-003" in out
    code, out, _ = command("runs", "log", "last", *API)
    assert [json.loads(line)["seq"] for line in out.splitlines()] == list(range(1, len(api.log) + 1))
    code, out, _ = command("runs", "watch", "12", *API, "--json")
    assert len(out.splitlines()) == len(api.log)
    code, out, _ = command("runs", "watch", "12", *API, "--after", str(len(api.log) - 2))
    assert "Offers a reporting window" not in out
    assert "Trust" in out


def test_a_run_leaves_a_folder_and_never_over_another_one(command: Command, api: FakeApi, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, _, err = command("run", "frontier-rules", *API, "--out", str(out))
    assert (code, (out / "README.md").is_file()) == (0, True)
    assert str(out) in err.replace("\n", "")
    posted = len(api.called("POST", "/runs"))
    code, _, err = command("run", "frontier-rules", *API, "--out", str(out))
    assert (code, len(api.called("POST", "/runs"))) == (2, posted)
    assert "--force" in err
    code, answer, _ = command("runs", "export", "last", *API, "--out", str(out), "--force", "--json")
    assert (code, json.loads(answer)["folder"]) == (0, str(out))


def test_one_file_of_an_export_goes_to_stdout(command: Command, api: FakeApi) -> None:
    api.delivered = len(api.log)
    code, out, _ = command("export", "run-003", *API, "--format", "csv")
    assert (code, out.splitlines()[0].split(",")[0]) == (0, "turn")
    assert json.loads(command("runs", "export", "last", *API, "--format", "json")[1])["format"]
    assert len(command("export", "last", *API, "--format", "log")[1].splitlines()) == len(api.log)
    assert command("export", "last", *API, "--format", "md")[1].startswith("# ")
    assert command("export", "last", *API, "--format", "md", "--out", "x")[0] == 2


def test_resume_moves_the_work_and_plays_on(command: Command, api: FakeApi) -> None:
    api.log = Recorder().add("run_started", {}).add("run_paused", {"message": "the limit is reached"}).entries
    api.final = run(status="paused", outcome=None, reason=Trouble(code="out_of_money", message="the limit is reached"))
    api.after_resume = Recorder().add("run_resumed").add("run_complete", {"turns": 2, "outcome": "agreement"}).entries
    api.delivered = len(api.log)
    code, out, _ = command("runs", "show", "run-003", *API)
    assert "--limit 2.00" in out
    code, out, _ = command("runs", "resume", "run-003", *API, "--limit", "2")
    assert code == 0
    assert api.called("POST", "/runs/.*/resume") == [{"limit": "2", "move": True}]
    assert "Resumed" in out
    assert "The end" in out


def test_pause_and_cancel_say_what_came_of_it(command: Command, api: FakeApi) -> None:
    for what in ("pause", "cancel"):
        code, out, _ = command("runs", what, "run-003", *API)
        assert code == 0
        assert "frontier-rules/run-003 is running." in out
        assert len(api.called("POST", f"/runs/.*/{what}")) == 1


def test_an_unknown_run_and_an_api_that_is_not_there(command: Command, api: FakeApi) -> None:
    code, _, err = command("runs", "show", "run-777", *API)
    assert code == 2
    assert "there is no run 'run-777'" in err


def test_no_api_is_one_clear_message(command: Command) -> None:
    code, out, err = command("runs", "list", "--api-url", "http://127.0.0.1:9")
    assert (code, out) == (1, "")
    assert "http://127.0.0.1:9" in err
    assert "pyscrai up" in err
    code, out, err = command("runs", "list", "--json", "--api-url", "http://127.0.0.1:9")
    assert json.loads(err)["error"]["code"] == "unreachable"


def test_defects_show_no_trace_unless_asked(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_file: Path) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("pyscrai.formats.load.load", broken)
    code, _, err = command("validate", "x")
    assert code == 1
    assert "a defect" in err
    assert "PYSCRAI_DEBUG=1" in err
    assert "Traceback" not in err
    code, _, err = command("--debug", "validate", "x")
    assert "Traceback" in err
