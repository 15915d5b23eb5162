"""Models behind agno: one question, metered and recorded at the model itself, with errors that say what to do.

Importing this package is cheap; agno is imported at the first question, or by `warm_up()`, and a provider's client at
the first question for one of its models: a play that costs nothing loads none.
"""

from pyscrai.llm.ask import ask
from pyscrai.llm.errors import (
    BadKey,
    MissingKey,
    ModelError,
    NotInstalled,
    Overloaded,
    PaidModelBlocked,
    RateLimited,
    Refused,
    Rejected,
    TimedOut,
    TooLong,
    Unparsable,
    Unreachable,
)
from pyscrai.llm.question import Meter, Question
from pyscrai.llm.setup import close, warm_up

__all__ = [
    "BadKey",
    "Meter",
    "MissingKey",
    "ModelError",
    "NotInstalled",
    "Overloaded",
    "PaidModelBlocked",
    "Question",
    "RateLimited",
    "Refused",
    "Rejected",
    "TimedOut",
    "TooLong",
    "Unparsable",
    "Unreachable",
    "ask",
    "close",
    "warm_up",
]
