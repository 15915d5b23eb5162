"""The process that is the local model's server: `python -m pyscrai.local.host FOLDER PLAN` (a Plan as JSON).

It is started by the first engine that asks, and outlives it while others use it. The lock on `users.lock` says whether
somebody is left: after five looks in a row with nobody it ends. If it dies, whoever asks next starts another.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from pyscrai.local.plan import Place, Plan
from pyscrai.machine import locks
from pyscrai.machine.files import write_private

LOOK_SECONDS = 1.0
FREE_LOOKS = 5
READERS = 4
"""Threads that read a prompt, where the machine has as many processors. The text does not depend on it."""


class Ended(Exception):
    """A signal asked the server to end."""


def serve(place: Place, plan: Plan, ready: Callable[[], None]) -> None:
    """Be the place's server until nobody uses it, unless there is one; `ready` is called when it answers.

    Raises RuntimeError where the weights do not load.
    """
    with locks.lock_file(place.users_lock) as users, locks.lock_file(place.server_lock) as own:
        if not locks.become_the_one(own):
            return
        # What an earlier one left behind when it was killed.
        place.state_file.unlink(missing_ok=True)
        try:
            key = secrets.token_urlsafe(32)
            server = load(plan, key)
            state = {"url": f"{server.listening_address}/v1", "key": key, "pid": os.getpid()}
            write_private(place.state_file, json.dumps(state))
            ready()
            watch(users)
        finally:
            # In this order: who comes in next finds neither state nor server.
            place.state_file.unlink(missing_ok=True)
            locks.release(own)


def load(plan: Plan, key: str) -> Any:
    """The running server: on the loopback interface, on a free port, for those who show the key."""
    from xllamacpp import CommonParams, Server

    params = CommonParams()
    params.model.path = plan.weights
    params.model_alias = {"local"}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [key]
    params.n_parallel = plan.slots
    params.n_ctx = plan.context * plan.slots
    params.cpuparams.n_threads = plan.threads
    params.cpuparams_batch.n_threads = max(plan.threads, min(READERS, os.cpu_count() or 1))
    # Memory: nothing is kept of requests that are over. The default is 8 GB.
    params.cache_ram_mib = 0
    params.n_ctx_checkpoints = 0
    params.n_threads_http = 2 + plan.slots
    params.offline = True
    params.verbosity = 2  # warnings and errors: no request in the log
    params.ui = False
    params.endpoint_slots = False
    return Server(params)


def watch(users: int) -> None:
    """Return when nobody has used the server for FREE_LOOKS looks; the users' lock is held exclusively then."""
    free = 0
    while free < FREE_LOOKS:
        time.sleep(LOOK_SECONDS)
        free = free + 1 if locks.nobody_left(users, keep=free + 1 == FREE_LOOKS) else 0


def _end(number: int, frame: FrameType | None) -> None:
    raise Ended


def main() -> None:
    place, plan = Place(Path(sys.argv[1])), Plan(**json.loads(sys.argv[2]))
    if os.fork():
        # The starter waits for this process only; the other one belongs to nobody and holds no terminal.
        os._exit(0)
    # The starter waits until this end of the pipe is closed; what the library prints goes to the log.
    starter = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    try:
        serve(place, plan, lambda: os.close(starter))
    except Ended:
        code = 0
    except RuntimeError as error:
        sys.stderr.write(f"pyscrai.local.host: {error}\n")
        code = 1
    else:
        code = 0
    # The library's threads have nothing to finish, and do not always end when they are asked to.
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
