"""The page of a run: everything in words, private things marked, and nothing of it a tag."""

from __future__ import annotations

from html.parser import HTMLParser

from tests.unit.cli.recorded import Recorder, run

from pyscrai_api.page import story

TITLES = {"regulator": "Regulator", "tech-company": "Tech <b>company</b>"}


class Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.said: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.said.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.said).split())


def talked() -> Recorder:
    log, both = Recorder(), ["regulator", "tech-company"]
    letter = {"text": "Audits?\n<script>x</script>", "to": "tech-company", "closing": False, "channel": "bilateral"}
    log.add("message", letter, seat="regulator", turn=1, parties=both)
    log.add("message", letter | {"text": "Hear me.", "to": None, "channel": "public"}, seat="regulator", turn=1)
    offer = {"act": "propose", "coalition": "t1-regulator", "name": "Pact", "purpose": "Win.", "with": ["tech-company"]}
    log.add("proposal", offer, seat="regulator", turn=1, parties=both)
    log.add("exogenous", {"text": "A storm.", "facts": {"wind": 0}}, turn=1)
    log.add("decision", {"action": "I wait."}, seat="tech-company", turn=1)
    log.add("thought", {"reasoning": "They bluff."}, seat="regulator", turn=1)
    told = {"check": "disclosure", "consistent": False, "issues": ["told (goal 1)"], "severity": "low"}
    log.add("check", told, turn=1)
    log.add("check", told | {"check": "sense", "severity": "high", "issues": ["odd"]}, turn=1)
    log.add("metric", {"metric": "trust", "value": 0, "unit": "%"}, turn=2)
    log.add("alert", {"metric": "trust", "value": 0, "threshold": "low", "level": 0.3}, turn=2)
    report = {"summary": "Over.", "influence": [{"from": "regulator", "to": "tech-company", "how": "by asking"}]}
    log.add("report", report, turn=2)
    log.add("run_blocked", {"message": "No key."}, turn=2)
    return log


def test_everything_is_said_in_words() -> None:
    page = Page(story.page(run(), TITLES, talked().entries))
    for said in (
        "only to Tech <b>company</b> Audits? <script>x</script>",
        "to everybody Hear me.",
        "proposes the coalition “Pact” to Tech <b>company</b>: Win.",
        "Meanwhile A storm. wind: 0",
        "I wait.",
        "sense: not consistent (high) · odd",
        "trust: 0 %",
        "trust is 0: low (0.3)",
        "Regulator → Tech <b>company</b>: by asking",
        "No key.",
        "Turn 1 of",
    ):
        assert said in page.text, said
    assert "They bluff." not in page.text
    assert "told (goal 1)" not in page.text
    assert "{" not in page.text.partition("Turn 1 of")[2]
    assert not page.tags & {"script", "img", "iframe", "form"}
    assert f"/api/v1/runs/{run().id}/log" in page.links


def test_a_run_that_is_over_is_not_looked_at_again() -> None:
    assert "http-equiv" in story.page(run().model_copy(update={"ended_at": None}), TITLES, [])
    assert "http-equiv" not in story.page(run().model_copy(update={"ended_at": "2026-11-20"}), TITLES, [])
