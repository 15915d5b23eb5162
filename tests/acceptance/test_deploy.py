"""What deploy/ says is what is done here: the commands of the image and of the Compose file, run as processes.

Arguments and environment come from the files. Only three things are other than in a container: names of services are
ports of this machine, the database is the test's, and HOME and the working folder are the test's.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import jsonschema_rs
import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
BIN = Path(sys.executable).parent
OURS = ("api", "actor", "narrator", "analyst")
ENGINES = OURS[1:]
PORTS = ("PYSCRAI_PORT", "PYSCRAI_HEALTH_PORT")
PATIENCE = 60.0

# Closed on purpose: a key that Compose does not know is a typo that it only warns of.
SERVICE = {
    "type": "object",
    "required": ["image", "restart"],
    "additionalProperties": False,
    "properties": {
        **{key: {"type": "string"} for key in ("image", "restart", "shm_size")},
        **{key: {"type": "array", "items": {"type": "string"}} for key in ("command", "volumes", "ports", "profiles")},
        **{key: {"type": "array", "items": {"type": "string"}} for key in ("cap_drop", "security_opt", "tmpfs")},
        "build": {"type": "object", "required": ["context", "dockerfile"]},
        "environment": {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
        "depends_on": {"type": "object", "additionalProperties": {"required": ["condition"]}},
        "healthcheck": {"type": "object", "required": ["test"]},
        "read_only": {"type": "boolean"},
        "stop_grace_period": {"type": "string", "pattern": r"^\d+s$"},
    },
}
COMPOSE_SCHEMA = {
    "type": "object",
    "required": ["name", "services"],
    "additionalProperties": False,
    "patternProperties": {"^x-": {"type": "object"}},
    "properties": {
        "name": {"type": "string"},
        "services": {"type": "object", "additionalProperties": SERVICE},
        "volumes": {"type": "object"},
    },
}


def resolve(value: Any, environment: Mapping[str, str]) -> Any:
    """Put the environment in, as Compose does; raises KeyError with the file's message where a variable must be set."""
    if isinstance(value, dict):
        return {key: resolve(item, environment) for key, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, environment) for item in value]
    if not isinstance(value, str):
        return value

    def one(match: re.Match[str]) -> str:
        name, how, rest = match["name"], match["how"], match["rest"]
        if environment.get(name):
            return environment[name]
        if how == ":?":
            raise KeyError(rest)
        return str(rest or "")

    return re.sub(r"\$\{(?P<name>\w+)(?:(?P<how>:[?-])(?P<rest>[^}]*))?\}", one, value)


def compose(environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    document = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    return document if environment is None else resolve(document, environment)


def final_stage() -> list[tuple[str, str]]:
    """The last stage of the Dockerfile, as pairs of instruction and arguments."""
    text = (DEPLOY / "Dockerfile").read_text("utf-8")
    lines = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    pairs = [(line.split(None, 1)[0], line.split(None, 1)[1].strip()) for line in lines if line.strip()]
    last = max(index for index, (word, _) in enumerate(pairs) if word == "FROM")
    return pairs[last:]


class Image:
    """What a container of the image runs, from the Dockerfile's last stage."""

    def __init__(self) -> None:
        stage = final_stage()
        said = dict(stage)
        self.entrypoint: list[str] = json.loads(said["ENTRYPOINT"])
        self.default: list[str] = json.loads(said["CMD"])
        self.healthcheck: list[str] = json.loads(said["HEALTHCHECK"].partition("CMD")[2])
        self.user = said["USER"]
        self.port = int(said["EXPOSE"])
        words = [word for key, arguments in stage if key == "ENV" for word in shlex.split(arguments)]
        self.environment = dict(word.split("=", 1) for word in words)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {PATIENCE:.0f} s for {what}"
        time.sleep(0.05)
    return found


class Container:
    """One service of the Compose file as a process."""

    def __init__(self, name: str, service: dict[str, Any], ports: Mapping[str, int], dsn: str, home: Path) -> None:
        image = Image()
        said = {key: value for key, value in service["environment"].items() if value is not None}
        self.name, self.port = name, ports[name]
        self.environment = image.environment | said | dict.fromkeys(PORTS, str(self.port))
        self.environment |= {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(home / "nonexistent")}
        self.environment |= {"PYSCRAI_NO_PAID_MODELS": "1"}
        if "PYSCRAI_API_URL" in self.environment:
            self.environment["PYSCRAI_API_URL"] = f"http://127.0.0.1:{ports['api']}"
        if "PYSCRAI_DATABASE_URL" in self.environment:
            self.environment["PYSCRAI_DATABASE_URL"] = dsn
        self.home, self.healthcheck = home, image.healthcheck
        self.log = home / f"{name}-{self.port}.log"
        argv = image.entrypoint + service.get("command", image.default)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                argv, env=self.environment, cwd=home, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )

    def healthy(self) -> bool:
        """Run the image's own HEALTHCHECK, once."""
        assert self.process.poll() is None, f"{self.name} ended: {self.log.read_text()[-3000:]}"
        probe = subprocess.run(self.healthcheck, env=self.environment, cwd=self.home, capture_output=True, timeout=30)
        return probe.returncode == 0

    def stop(self, patience: float) -> int:
        """As `docker stop` does, but that it is an error if the process has to be killed."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(patience)


@pytest.fixture
def secret_environment() -> dict[str, str]:
    return {"POSTGRES_PASSWORD": secrets.token_hex(12), "PYSCRAI_TOKEN": secrets.token_hex(24)}


@pytest.fixture
def start(tmp_path: Path, dsn: str, secret_environment: dict[str, str]) -> Iterator[Callable[..., Container]]:
    """Starts a service of the Compose file; what is still there after the test is killed."""
    services = compose(secret_environment)["services"]
    ports = {"api": free_port()}
    running: list[Container] = []

    def one(name: str) -> Container:
        own = ports if name == "api" else ports | {name: free_port()}
        running.append(Container(name, services[name], own, dsn, tmp_path))
        return running[-1]

    yield one
    for container in running:
        if container.process.poll() is None:
            container.process.kill()
        container.process.wait()


def test_the_dockerfile_is_clean() -> None:
    found = subprocess.run([BIN / "hadolint", DEPLOY / "Dockerfile"], capture_output=True, text=True)
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


def test_the_yaml_files_are_clean() -> None:
    command = [sys.executable, "-m", "yamllint", "-c", DEPLOY / ".yamllint", "--strict", DEPLOY]
    found = subprocess.run(command, capture_output=True, text=True)
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


def test_compose_has_the_shape_that_compose_knows() -> None:
    validator = jsonschema_rs.validator_for(COMPOSE_SCHEMA)
    assert [f"{error.instance_path}: {error.message}" for error in validator.iter_errors(compose())] == []


def test_compose_names_only_what_there_is(secret_environment: dict[str, str]) -> None:
    document = compose(secret_environment)
    services = document["services"]
    for name, service in services.items():
        assert set(service.get("depends_on", {})) <= set(services), name
        for dependency, how in service.get("depends_on", {}).items():
            has_check = dependency == "api" or "healthcheck" in services[dependency]
            assert how["condition"] == "service_healthy", name
            assert has_check, f"{name} waits for {dependency}, which says nothing of its health"
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (DEPLOY / source).exists() if source.startswith(".") else source in document["volumes"], volume
    database = urlsplit(services["api"]["environment"]["PYSCRAI_DATABASE_URL"])
    server = services[str(database.hostname)]["environment"]
    assert database.port == 5432
    said = (database.username, database.password, database.path.removeprefix("/"))
    assert said == (server["POSTGRES_USER"], server["POSTGRES_PASSWORD"], server["POSTGRES_DB"])
    for engine in ENGINES:
        api = urlsplit(services[engine]["environment"]["PYSCRAI_API_URL"])
        assert (api.hostname, api.port) == ("api", Image().port)
    assert "api" in services["api"]["environment"]["PYSCRAI_ALLOWED_HOSTS"].split(",")


def test_engines_can_be_scaled_and_get_the_time_to_hand_back() -> None:
    from pyscrai.engine.settings import EngineSettings

    grace = EngineSettings(engine_type="actor", api_url="http://api").grace_seconds
    for engine in ENGINES:
        service = compose()["services"][engine]
        assert not {"container_name", "ports"} & set(service)
        assert service["restart"] == "unless-stopped"
        assert seconds(service) > grace


def test_the_api_can_be_scaled_over_a_range_of_ports() -> None:
    """As the file's head says: Compose gives each replica one of the range, where the container's port is one."""
    text = (DEPLOY / "compose.yaml").read_text("utf-8")
    published = re.findall(r"(\w+)=(\S+) docker compose \S+ \S+ up --scale api=(\d+)", text)
    ((variable, ports, replicas),) = published
    first, _, last = ports.partition("-")
    assert int(last) - int(first) + 1 == int(replicas)
    secrets_of_it = {"POSTGRES_PASSWORD": "x", "PYSCRAI_TOKEN": "y", variable: ports}
    service = compose(secrets_of_it)["services"]["api"]
    assert service["ports"] == [f"127.0.0.1:{ports}:{Image().port}"]
    assert "container_name" not in service


def test_the_api_gets_the_time_to_end_its_requests() -> None:
    from pyscrai_api.settings import Settings

    assert seconds(compose()["services"]["api"]) > Settings().grace


@pytest.mark.parametrize("secret", ["POSTGRES_PASSWORD", "PYSCRAI_TOKEN"])
def test_no_secret_has_a_default(secret: str, secret_environment: dict[str, str]) -> None:
    del secret_environment[secret]
    with pytest.raises(KeyError, match=f"set {secret}"):
        compose(secret_environment)


def test_the_image_runs_as_nobody_in_particular() -> None:
    assert int(Image().user.split(":")[0]) > 0
    assert Image().environment["PYTHONDONTWRITEBYTECODE"] == "1"


def test_every_service_listens_where_the_image_says() -> None:
    image = Image()
    assert {int(image.environment[name]) for name in PORTS} == {image.port}
    assert {image.environment[name] for name in ("PYSCRAI_HOST", "PYSCRAI_HEALTH_HOST")} == {"0.0.0.0"}


def test_prometheus_looks_at_every_service() -> None:
    jobs = yaml.safe_load((DEPLOY / "prometheus.yml").read_text("utf-8"))["scrape_configs"]
    looked_at = {(name, found["port"]) for job in jobs for found in job["dns_sd_configs"] for name in found["names"]}
    assert looked_at == {(name, Image().port) for name in OURS}


def test_the_services_as_deployed_play_a_scenario(
    start: Callable[..., Container], secret_environment: dict[str, str], tmp_path: Path
) -> None:
    services = compose(secret_environment)["services"]
    api = start("api")
    until(api.healthy, "the API")
    engines = [start(name) for name in ("actor", "actor", "actor", "narrator", "analyst")]
    for container in engines:
        until(container.healthy, container.name)

    url, token = f"http://127.0.0.1:{api.port}", secret_environment["PYSCRAI_TOKEN"]
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}) as client:

        def active(kind: str) -> int:
            answer = client.get("/api/v1/engine-instances", params={"engine_type": kind, "status": "active"})
            return len(answer.raise_for_status().json())

        until(lambda: [active(kind) for kind in ENGINES] == [3, 1, 1], "all engines to register")
        assert client.get("/api/v1/runs", headers={"Host": "api:8000"}).status_code == 200
        assert client.get("/api/v1/runs", headers={"Host": "elsewhere"}).status_code == 403
        assert client.get("/api/v1/runs", headers={"Authorization": ""}).status_code == 401
        for container in [api, *engines]:
            assert "# TYPE" in httpx.get(f"http://127.0.0.1:{container.port}/metrics").text

        environment = {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "PYSCRAI_DATA": str(tmp_path / "d"),
        }
        environment |= {"PYSCRAI_API_URL": url, "PYSCRAI_TOKEN": token}
        command = ["pyscrai", "run", "negotiation", "--model", "rehearsal", "--turns", "2", "--json"]
        played = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=240)
        assert played.returncode == 0, played.stderr + played.stdout
        run = json.loads(played.stdout)
        assert (run["status"], run["turns"]) == ("completed", 2)
        assert client.get(f"/api/v1/runs/{run['id']}").json()["log_digest"] == run["log_digest"]

        assert [container.stop(seconds(services[container.name])) for container in engines] == [0] * 5
        assert [active(kind) for kind in ENGINES] == [0, 0, 0]
    assert api.stop(seconds(services["api"])) == 0


def seconds(service: Mapping[str, Any]) -> float:
    return float(service["stop_grace_period"].removesuffix("s"))
