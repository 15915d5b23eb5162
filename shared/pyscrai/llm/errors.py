"""What can go wrong with a model call.

ModelError              anything a model or its provider did; `permanent` says that trying again is pointless
├── MissingKey          no key is set (permanent; names the environment variable)
├── NotInstalled        the extra or the weights of the local model are missing (permanent; names the command)
├── BadKey              the provider does not accept the key (permanent)
├── Unreachable         nobody answers at that address
├── RateLimited         too many requests (`retry_after` where the provider said how long)
├── Overloaded          the provider failed on its side, or has too much to do (5xx)
├── TimedOut            no answer in time
├── TooLong             the request does not fit into the model's context (permanent)
├── Refused             the model declined to answer
├── Rejected            the provider says that the request is wrong: unknown model, no credit (permanent)
├── Unparsable          the answer was not what the schema asks for, also after its repair
├── ReplayDiverged      a replayed run asks something else here than its recording (permanent; shows the difference)
└── PaidModelBlocked    PYSCRAI_NO_PAID_MODELS is set and the model is not on this machine (permanent)
"""

from __future__ import annotations

from typing import ClassVar

from pyscrai.domain.errors import PyScrAIError


class ModelError(PyScrAIError):
    """A model call failed. `code` is stable; `retry_after` is in seconds.

    `unbilled`: the provider certainly refused the request before it worked on it, so that it cost nothing.
    """

    code: ClassVar[str] = "model_error"
    is_permanent: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        permanent: bool | None = None,
        unbilled: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.permanent = self.is_permanent if permanent is None else permanent
        self.retry_after = retry_after
        self.unbilled = unbilled


class MissingKey(ModelError):
    code = "model_key_missing"
    is_permanent = True


class NotInstalled(ModelError):
    code = "model_not_installed"
    is_permanent = True


class BadKey(ModelError):
    code = "model_key_refused"
    is_permanent = True


class Unreachable(ModelError):
    code = "model_unreachable"


class RateLimited(ModelError):
    code = "model_rate_limited"


class Overloaded(ModelError):
    code = "model_overloaded"


class TimedOut(ModelError):
    code = "model_timed_out"


class TooLong(ModelError):
    code = "model_context_exceeded"
    is_permanent = True


class Refused(ModelError):
    code = "model_refused"


class Rejected(ModelError):
    code = "model_rejected"
    is_permanent = True


class Unsupported(Rejected):
    """The server does not take `part` of the request; the next one is sent without, so a further try has a point."""

    is_permanent = False

    def __init__(self, message: str, part: str) -> None:
        super().__init__(message)
        self.part = part


class Unparsable(ModelError):
    code = "model_unparsable"


class PaidModelBlocked(ModelError):
    code = "model_blocked"
    is_permanent = True


class ReplayDiverged(ModelError):
    code = "replay_diverged"
    is_permanent = True
