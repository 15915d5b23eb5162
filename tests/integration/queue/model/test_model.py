"""The queue, driven at random, is always what a plain model says it is (docs/protocol.md)."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.integration.queue.model.machine import QueueMachine
from tests.integration.queue.model.service import Service
from tests.integration.queue.model.tour import walk_all

EXAMPLES = int(os.environ.get("PYSCRAI_TEST_EXAMPLES", "0"))
QUICK = settings(
    max_examples=12,
    stateful_step_count=40,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)
LONG = settings(
    QUICK, max_examples=max(1, EXAMPLES), stateful_step_count=100, derandomize=False, print_blob=True,
    phases=[Phase.generate],
)  # fmt: skip


def test_every_transition(service: Service) -> None:
    walk_all(service)


@pytest.mark.timeout(0 if EXAMPLES else 300)
def test_the_queue_is_what_the_model_says(service: Service) -> None:
    machine = QueueMachine.of(service)
    run_state_machine_as_test(machine, settings=LONG if EXAMPLES else QUICK)
    assert machine.steps > 300, "steps were taken"
