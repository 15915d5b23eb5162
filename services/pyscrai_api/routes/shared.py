"""What routes are given: the shared things, and who calls.

Asynchronous on purpose: FastAPI runs a plain function as a dependency in a thread, which costs more than the look-up.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from pyscrai_api.access import Caller, caller
from pyscrai_api.deps import Deps, deps


async def _shared(request: Request) -> Deps:
    return deps(request)


async def _who(request: Request) -> Caller:
    return caller(request)


Shared = Annotated[Deps, Depends(_shared)]
Who = Annotated[Caller, Depends(_who)]
