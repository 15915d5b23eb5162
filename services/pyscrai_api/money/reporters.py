"""Whose word about a model call counts.

Everybody's engines may be told of (event, lease, call); what a call cost, and that its provider wants a break, is
believed of engines of the installation, of engines of who pays, and of the engine that held the lease. It is a part of
a statement about calls, `c`: whoever is not believed changes nothing.
"""

from __future__ import annotations


def believed(engine: str) -> str:
    """A condition on the row `c` of `calls`; `engine` is the parameter with the id of the engine that reports.

    An engine whose row is gone is believed: what was paid may be told however late, and routes know their engines.
    """
    return f"""(
  coalesce((SELECT g.owner FROM engines g WHERE g.id = {engine}), 'local') IN ('local', c.owner)
  OR EXISTS (SELECT FROM queue q WHERE q.id = c.event_id AND q.lease_no = c.lease_no AND q.engine_id = {engine})
  OR EXISTS (SELECT FROM attempts a
    WHERE a.event_id = c.event_id AND a.lease_no = c.lease_no AND a.engine_id = {engine})
  OR EXISTS (SELECT FROM outcomes o WHERE o.event_id = c.event_id AND o.engine_id = {engine})
)"""
