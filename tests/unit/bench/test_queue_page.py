"""What the benchmark of the queue says of its measurements: targets, tables, the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench.queue import consumers, drains, page, profiles
from bench.queue.bench import rotated
from bench.queue.page import BEGIN, END
from bench.queue.results import Results
from bench.queue.tables import all_tables
from bench.queue.targets import Target, at_least, at_most, limit, targets


def record(case: str, rate: float, number: int = 0) -> dict[str, object]:
    costs = {"client": 1.0, "server": 2.0, "postgres": 3.0, "cpu": 6.0, "wal": 700.0}
    return {"section": drains.SECTION, "case": case, "round": number, "rate": rate, **costs}


@pytest.fixture
def found() -> Results:
    results = Results()
    for number, rate in enumerate((19_000, 21_000, 20_000)):
        results.add(record(consumers.ours(10, 1, 0).case, rate, number))
    results.add(record(consumers.pgqueuer(10, 1, 0).case, 8_000))
    results.add(
        {"section": drains.SECTION, "case": consumers.graphile_worker(1, 0).case, "round": 0, "error": "no npm"}
    )
    return results


def test_a_target_compares_medians(found: Results) -> None:
    first = targets(found)[0]
    assert (first.what, first.share, first.met) == ("batch 10, against pgqueuer, 1 process", "2.50 ×", True)
    assert first.note == "20,000 / 8,000/s"


def test_what_was_not_measured_is_neither_met_nor_missed(found: Results) -> None:
    assert {target.met for target in targets(Results())} == {None}
    assert next(t for t in targets(found) if "graphile" in t.what).met is None


@pytest.mark.parametrize(
    ("target", "met"),
    [
        (at_least("rate", 2, 200, 100), True),
        (at_least("rate", 2, 199, 100), False),
        (at_least("rate", None, 1, 100), None),
        (at_most("cost", 1, 100, 100, unit=" µs"), True),
        (at_most("cost", 1, 101, 100, unit=" µs"), False),
        (limit("p50", 3.0, 3, " ms"), True),
        (limit("p50", 3.1, 3, " ms"), False),
        (limit("p50", None, 3, " ms"), None),
    ],
)
def test_targets_are_met_or_not(target: Target, met: bool | None) -> None:
    assert target.met is met


def test_a_case_that_failed_says_why(found: Results) -> None:
    rows = all_tables(found)[1].rows
    assert (consumers.graphile_worker(1, 0).case, "no npm") in rows


def test_the_page_keeps_the_words_around_the_marks(found: Results, tmp_path: Path) -> None:
    file = tmp_path / "benchmarks.md"
    file.write_text(f"Words.\n\n{BEGIN}\nold\n{END}\n\nMore words.\n")
    page.write(found, file)
    text = file.read_text()
    assert text.startswith(f"Words.\n\n{BEGIN}\n")
    assert text.endswith(f"{END}\n\nMore words.\n")
    assert "old" not in text
    assert "| ours, batch 10, 1 process | 20,000 | 19,000 to 21,000 | 3 | 1 | 2 | 3 | 6 | 700 |" in text


def test_a_page_without_marks_is_left_alone(found: Results, tmp_path: Path) -> None:
    file = tmp_path / "benchmarks.md"
    file.write_text("Words.")
    with pytest.raises(ValueError, match="measured: begin"):
        page.write(found, file)
    assert file.read_text() == "Words."


def test_measurements_are_read_again(found: Results, tmp_path: Path) -> None:
    file = tmp_path / "raw" / "queue.jsonl"
    kept = Results(file)
    kept.describe({"commit": "abc"})
    for each in found.records:
        kept.add(each)
    again = Results.read(file)
    assert (again.records, again.facts) == (found.records, {"commit": "abc"})


def test_each_round_has_another_order() -> None:
    cases = [str(number) for number in range(7)]
    orders = [rotated(cases, number) for number in range(3)]
    assert all(sorted(order) == cases for order in orders)
    assert len({order[0] for order in orders}) == 3


def test_a_profile_says_who_works_in_whose_code() -> None:
    ours = "main (pyscrai_api/__main__.py:1);serve (pyscrai_api/serve.py:2)"
    stacks = [
        f"{ours};run (asyncio/runners.py:3) 50",
        f"{ours};run (asyncio/runners.py:3);claim (pyscrai_api/queue/claimer.py:9);fetch (asyncpg/pool.py:4) 30",
        f"{ours};run (asyncio/runners.py:3);claim (pyscrai_api/queue/claimer.py:7) 15",
        f"{ours};run (asyncio/runners.py:3);claim (pyscrai_api/queue/claimer.py:7);get (h11/x.py:1) 5",
    ]
    assert profiles.shares("\n".join(stacks)) == {
        "asyncio": 0.5,
        "pyscrai_api/queue/claimer.py → asyncpg": 0.3,
        "pyscrai_api/queue/claimer.py": 0.15,
        "pyscrai_api/queue/claimer.py → other libraries": 0.05,
        "everything else": 0,
    }
