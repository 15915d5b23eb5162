"""An engine's client that writes down what the API acknowledged, so that the verdict can hold the API to its word."""

from __future__ import annotations

import os
from collections.abc import Sequence

from pyscrai.client.engine import EngineApi
from pyscrai.client.http import Http
from pyscrai.contract.events import CallRecord, Finish, Finished

WORDS = "CHAOS_WORDS"
"""The environment variable that names the file."""


class Witness(EngineApi):
    """A line per acknowledged finish, `EVENT LEASE STATUS STATE`, in one write per answer, which no kill can tear.

    What the API answered when this process was dead is nobody's word.
    """

    def __init__(self, http: Http, words: int) -> None:
        super().__init__(http)
        self._words = words

    @classmethod
    def open(cls, http: Http) -> Witness:
        """With the file that the environment names; to nowhere without."""
        return cls(http, os.open(os.environ.get(WORDS) or os.devnull, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600))

    async def finish(
        self, events: Sequence[Finish], calls: Sequence[CallRecord], *, engine_id: str | None = None
    ) -> list[Finished]:
        """As the client's own, which it asks."""
        answers = await super().finish(events, calls, engine_id=engine_id)
        lines = [
            f"{asked.event_id} {asked.lease_no} {asked.status} {answer.state}\n"
            for asked, answer in zip(events, answers, strict=True)
        ]
        if lines:
            os.write(self._words, "".join(lines).encode())
        return answers
