"""From an event to its outcome: render the prompt, ask the model, say what happened in a type."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import JsonValue
from structlog.typing import FilteringBoundLogger

from pyscrai.client.errors import ClientError
from pyscrai.contract.events import Claimed
from pyscrai.engine.errors import CallForbidden, LeaseGone, TakenBack
from pyscrai.engine.outcomes import Done, Dropped, Fail, HandBack, Outcome, Retry

if TYPE_CHECKING:
    from pyscrai.llm import Meter, Question

PUT_OFF = frozenset({"model_rate_limited", "model_overloaded"})
"""What a provider says that did not begin: nobody failed, and the event waits (DESIGN §5, hand-backs)."""
Plain = Callable[[dict[str, JsonValue]], str]
"""What to ask for an event that carries no prompt of a catalog. Raises InvalidPayload."""


class InvalidPayload(ValueError):
    """The event's data is not what this engine works on; the message says what it should be."""


class Asks(Protocol):
    """`pyscrai.llm.ask`."""

    def __call__(self, question: Question, meter: Meter, *, timeout: float) -> Awaitable[dict[str, Any]]: ...


class Handler:
    """Handles any event of a lane. `plain` reads events without a prompt; a model call may take `call_seconds`."""

    def __init__(self, *, plain: Plain, ask: Asks, call_seconds: float) -> None:
        self._plain = plain
        self._ask = ask
        self._call_seconds = call_seconds

    async def handle(self, event: Claimed, meter: Meter, log: FilteringBoundLogger) -> Outcome:
        """The outcome; never raises anything but CancelledError."""
        # Imported here because the engine registers before any of this is in memory.
        from pyscrai.llm import ModelError
        from pyscrai.prompting import PromptError

        try:
            question = self._question(event)
            seconds = question.model.timeout or self._call_seconds
            return Done(result=await self._ask(question, meter, timeout=seconds))
        except ModelError as error:
            if error.permanent:
                return Fail(reason=error.message, code=error.code)
            if error.code in PUT_OFF and error.unbilled:
                return HandBack(reason=error.message, code=error.code, retry_after=error.retry_after)
            return Retry(reason=error.message, code=error.code, retry_after=error.retry_after)
        except LeaseGone as gone:
            return Dropped(reason=str(gone)) if gone.confirmed else HandBack(reason=str(gone))
        except TakenBack as error:
            return Dropped(reason=str(error))
        except CallForbidden as error:
            return Fail(reason=str(error), code=error.code)
        except PromptError as error:
            return Fail(reason=f"the prompt of {event.event_type} cannot be rendered: {error}", code="prompt")
        except InvalidPayload as error:
            return Fail(reason=str(error), code="invalid_payload")
        except ClientError as error:
            return Retry(reason=f"the API refused the reservation: {error}", code="reservation")
        except Exception as error:
            # A defect of ours must not take the engine down with it: it is shown, counted and tried again.
            log.exception("handler_failed")
            return Retry(reason=f"{type(error).__name__}: {error}", code="internal")

    def _question(self, event: Claimed) -> Question:
        from pyscrai.llm import Question

        if event.model is None:
            raise InvalidPayload("the event names no model")
        system, user = self._prompts(event)
        return Question(
            model=event.model,
            system=system,
            user=user,
            schema=event.result_schema,
            event_type=event.event_type,
            seat=event.seat,
            turn=event.turn,
            phase=event.phase,
            try_no=event.try_no,
            event_id=event.id,
            lease_no=event.lease_no,
            view=event.view,
            key=event.key,
        )

    def _prompts(self, event: Claimed) -> tuple[str, str]:
        from pyscrai.prompting import PromptError, render, variables
        from pyscrai.prompting.render import RENDERER

        prompt = event.prompt
        if prompt is None:
            return "", self._plain(event.data)
        if prompt.renderer != RENDERER:
            raise PromptError(f"this engine renders {RENDERER}, not {prompt.renderer}; start a newer one")
        values = variables(event.view, event.data)
        return render(prompt.system, values), render(prompt.user, values)
