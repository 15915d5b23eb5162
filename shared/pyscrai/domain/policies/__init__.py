"""Policies: pure functions from plan and state to what happens next."""

from __future__ import annotations

from pyscrai.domain.errors import PolicyError
from pyscrai.domain.policies import dialogue, flow, turns
from pyscrai.domain.policies.base import Next, Policy

POLICIES: dict[str, Policy] = {"turns@1": turns.next_step, "dialogue@1": dialogue.next_step, "flow@1": flow.next_step}


def policy(name: str) -> Policy:
    """The policy of that name and version. Raises PolicyError with those there are."""
    try:
        return POLICIES[name]
    except KeyError:
        raise PolicyError(f"there is no policy {name}; there are {', '.join(sorted(POLICIES))}") from None


__all__ = ["POLICIES", "Next", "Policy", "policy"]
