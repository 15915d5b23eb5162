"""The rehearsal model: an agno model that is a pure function of the request and the seed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from agno.models.response import ModelResponse

from pyscrai.llm.offline import OfflineModel, counted
from pyscrai.llm.rehearsal.compose import compose


@dataclass
class Rehearsal(OfflineModel):
    """Answers at once, in the form that is asked for, from the words of the prompt. Costs nothing."""

    seed: int = 0

    async def answer(self, messages: list[Any], schema: dict[str, Any] | None) -> ModelResponse:
        text = rehearsed(messages, schema, self.seed)
        return ModelResponse(role="assistant", content=text, response_usage=counted(messages, text))


def rehearsed(messages: list[Any], schema: dict[str, Any] | None, seed: int) -> str:
    """What the rehearsal model says to these messages: a text, or JSON by the schema."""
    system = "\n".join(each.get_content_string() for each in messages if each.role == "system")
    users = [each.get_content_string() for each in messages if each.role == "user"]
    made = compose(system, users[0] if users else "", schema, seed)
    return made if isinstance(made, str) else json.dumps(made, ensure_ascii=False)
