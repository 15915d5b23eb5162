"""Which pools are whose."""

from __future__ import annotations

import pytest

from pyscrai_api.errors import Forbidden, Invalid
from pyscrai_api.people.pools import check_engine_pool, check_lane, check_pool, may_see_lane


@pytest.mark.parametrize("pool", ["alice", "alice-gpu", "alice-1-2"])
def test_pools_that_bear_the_name(pool: str) -> None:
    check_engine_pool("alice", pool)
    check_pool("alice", pool)
    check_lane("alice", f"actor:{pool}", "/lane")
    assert may_see_lane("alice", f"actor:{pool}")


@pytest.mark.parametrize("pool", ["al", "alicegpu", "bob", "bob-alice", "own-1", "local"])
def test_pools_that_do_not(pool: str) -> None:
    with pytest.raises(Forbidden):
        check_engine_pool("alice", pool)
    with pytest.raises(Invalid):
        check_pool("alice", pool)
    with pytest.raises(Invalid):
        check_lane("alice", f"actor:{pool}", "/lane")
    assert not may_see_lane("alice", f"actor:{pool}")


def test_the_plain_lanes_are_everybodys_work_and_the_installations_engines() -> None:
    check_pool("alice", None)
    check_lane("alice", "actor", "/lane")
    assert may_see_lane("alice", "actor")
    with pytest.raises(Forbidden):
        check_engine_pool("alice", None)


@pytest.mark.parametrize("pool", [None, "alice", "gpu", "own-1"])
def test_the_installation_may_serve_anything(pool: str | None) -> None:
    check_engine_pool("local", pool)
    check_pool("local", pool)
