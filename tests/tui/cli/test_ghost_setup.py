"""`ghost setup`: every step by a person, all of it by options, left and taken up, nothing lost."""

from __future__ import annotations

import json
import stat
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from engine.config import load_config
from engine.errors import ConfigError
from engine.exit import setup_tool
from engine.exit.settings_models import Costs
from engine.exit.terms import terms_hash
from tui.cli.failures import CliError
from tui.cli.ghost.asker import Silent
from tui.cli.ghost.draft import NAME, Draft
from tui.cli.ghost.reading import dollars, read_costs, read_pair
from tui.cli.ghost.wizard import Wizard

KEY = "sk-TOP-SECRET"
OLD = """\
# my node
roles = ["client"]  # at home

[wallet]
mints = ["https://mint.example"]  # mine

[shape]
class = "bulk"
"""
ANSWERS = [
    ("Which?", "openai"),
    ("Base URL", ""),
    ("Ask the provider", "n"),
    ("Names or numbers", "gpt-4o-mini, tiny"),
    ("gpt-4o-mini:", ""),
    ("tiny:", "1 2"),
    ("Which?", "margin"),
    ("Margin", "25"),
    ("How many sat", "1000"),
    ("Dollars a day", "3.50"),
    ("Tokens a day", "oops"),
    ("Tokens a day", "0"),
    ("Answers at once", "4"),
    ("Tokens in one", ""),
    ("Which?", "rules"),
    ("File of rules", "/etc/rules"),
    ("Refused", "3"),
    ("Jurisdiction", "DE"),
    ("Mints", ""),
    ("Lightning address", "me@pay.example"),
    ("Pay out above", ""),
    ("Listen on", "127.0.0.1:9735"),
    ("Have you read", "y"),
    ("Write them", "y"),
]


class Person:
    """Answers in order, each to the question it is for."""

    def __init__(self, answers: Sequence[tuple[str, str]], key: str = KEY) -> None:
        self.answers: Iterator[tuple[str, str]] = iter(answers)
        self.key = key
        self.seen: list[str] = []

    def say(self, text: str = "") -> None:
        self.seen.append(text)

    def line(self, question: str) -> str:
        self.seen.append(question)
        start, answer = next(self.answers)
        assert question.strip().startswith(start), (question, start)
        return answer

    def secret(self, question: str) -> str:
        self.seen.append(question)
        return self.key


class Home:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config.toml"
        self.config.write_text(OLD)
        self.keys: dict[str, str] = {}

    def tool(self, what: str, **given: Any) -> dict[str, Any]:
        try:
            return json.loads(json.dumps(setup_tool._COMMANDS[what](self.folder, given)))  # type: ignore[no-any-return]
        except ConfigError as error:
            raise CliError(error.message, code=error.code, exit_code=2, hint=error.hint) from error

    def wizard(self, asker: Any, **options: Any) -> Wizard:
        return Wizard(asker, Draft(self.folder), options, self.tool, self.keys.__setitem__)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_a_person_answers_everything(home: Home) -> None:
    person = Person(ANSWERS)
    done = home.wizard(person).run()
    assert done["written"]
    assert next(person.answers, None) is None
    assert home.keys == {"openai": KEY}
    text = home.config.read_text()
    for kept in ("# my node", "# at home", "# mine", 'class = "bulk"'):
        assert kept in text
    ghost = load_config(home.folder).ghost
    assert ghost is not None
    assert ghost.models == ("gpt-4o-mini", "tiny")
    assert ghost.upstreams[0].key == "openai"
    assert ghost.caps.micro_usd_per_day == 3_500_000
    assert ghost.policy.refused == ("hate",)
    assert ghost.prices.margin_percent == 25
    assert ghost.payout.threshold_sat == 10_000
    data = tomllib.loads(text)
    assert data["ghost"]["terms"]["text"] == terms_hash(["api.openai.com"])
    assert KEY not in text + "".join(person.seen)
    assert not (home.folder / NAME).exists()
    assert all(
        len(line) <= 80 for said in person.seen for line in said.splitlines() if line[:1] == " "
    )


def test_it_can_be_left_and_taken_up(home: Home) -> None:
    class Gone(Exception):
        pass

    class Leaves(Person):
        def line(self, question: str) -> str:
            if question.startswith("Answers at once"):
                raise Gone
            return super().line(question)

    with pytest.raises(Gone):
        home.wizard(Leaves(ANSWERS)).run()
    assert home.config.read_text() == OLD
    draft = home.folder / NAME
    assert stat.S_IMODE(draft.stat().st_mode) == 0o600
    assert KEY not in draft.read_text()
    again = [("Go on", ""), *[(start, "") for start, _ in ANSWERS[:10]], ("Tokens a day", "")]
    again[3] = ("Ask the provider", "n")
    again += ANSWERS[12:]
    home.wizard(Person(again)).run()
    ghost = load_config(home.folder).ghost
    assert ghost is not None
    assert ghost.models == ("gpt-4o-mini", "tiny")
    assert ghost.caps.micro_usd_per_day == 3_500_000


OPTIONS: dict[str, Any] = {
    "yes": True,
    "kind": "anthropic",
    "key": KEY,
    "check": False,
    "models": ["claude-sonnet-4-20250514"],
    "mode": "demand",
    "sat_per_usd": 900,
    "rise": 50,
    "listen": "127.0.0.1:9735",
    "accept_terms": True,
}


def test_a_script_gives_everything_by_options(home: Home) -> None:
    done = home.wizard(Silent(), **OPTIONS).run()
    ghost = load_config(home.folder).ghost
    assert ghost is not None
    (note,) = done["notes"]
    assert "claude-sonnet-4-20250514 is from a list of 2025" in note
    assert ghost.prices.mode == "demand"
    assert ghost.prices.rate_on == home.tool("facts")["today"]
    costs = ghost.offers[0].costs
    assert costs is not None
    assert (costs.tokens_in, costs.cached) == (3_000_000, 300_000)
    assert ghost.caps.micro_usd_per_day == 5_000_000
    assert home.keys == {"anthropic": KEY}


@pytest.mark.parametrize(("mode", "says"), [("margin", "not known"), ("fixed", "not answered")])
def test_a_script_must_price_what_no_list_knows(home: Home, mode: str, says: str) -> None:
    """A provider asks its price whether or not it is known here; a guess would be the ghost's
    loss."""
    given = {**OPTIONS, "models": ["vendor/new"], "mode": mode}
    with pytest.raises(CliError, match=says):
        home.wizard(Silent(), **given).run()
    assert home.config.read_text() == OLD
    fixed = {**given, "mode": "fixed", "fixed": {"vendor/new": [3, 4]}}
    assert home.wizard(Silent(), **fixed).run()["notes"] == []
    ghost = load_config(home.folder).ghost
    assert ghost is not None
    assert (ghost.offers[0].in_price, ghost.offers[0].out_price) == (3, 4)


def test_what_the_providers_own_list_asks_comes_before_what_is_known(home: Home) -> None:
    usual = home.tool

    def tool(what: str, **given: Any) -> dict[str, Any]:
        if what == "models":
            return {"models": ["gpt-4o-mini", "tiny"], "prices": {"gpt-4o-mini": ["7", "8", "6"]}}
        return usual(what, **given)

    home.tool = tool  # type: ignore[method-assign]
    answers = [*ANSWERS[:2], ("Ask the provider", "y"), *ANSWERS[3:]]
    person = Person(answers)
    home.wizard(person).run()
    ghost = load_config(home.folder).ghost
    assert ghost is not None
    assert [offer.costs for offer in ghost.offers] == [
        Costs(7_000_000, 8_000_000, 6_000_000, 8_000_000),
        Costs(1_000_000, 2_000_000, 1_000_000, 2_000_000),
    ]
    assert "The provider's own list names these prices now." in person.seen


def test_a_person_who_does_not_know_the_costs_says_prices(home: Home) -> None:
    answers = [
        *ANSWERS[:3],
        ("Names or numbers", "tiny"),
        ("tiny:", ""),
        ("Which?", "margin"),
        ("tiny, msat", ""),
        ("tiny, msat", "30 40"),
        *ANSWERS[10:],
    ]
    home.wizard(Person(answers)).run()
    ghost = load_config(home.folder).ghost
    assert ghost is not None
    assert (ghost.prices.mode, ghost.offers[0].in_price, ghost.offers[0].out_price) == (
        "fixed", 30, 40,
    )  # fmt: skip


def test_a_dry_run_writes_nothing_and_keeps_no_key(home: Home) -> None:
    done = home.wizard(Silent(), **OPTIONS, dry_run=True).run()
    assert not done["written"]
    assert "claude-sonnet-4" in done["text"]
    assert home.config.read_text() == OLD
    assert home.keys == {}


def test_without_the_terms_nothing_is_written(home: Home) -> None:
    with pytest.raises(CliError, match="acknowledged"):
        home.wizard(Silent(), **{**OPTIONS, "accept_terms": "0" * 64}).run()
    assert home.config.read_text() == OLD


def test_settings_that_do_not_fit_are_not_written(home: Home) -> None:
    with pytest.raises(CliError, match="address"):
        home.wizard(Silent(), **{**OPTIONS, "listen": "nowhere"}).run()
    assert home.config.read_text() == OLD


def test_an_own_machine_has_no_terms_and_no_key(home: Home) -> None:
    own = {
        **OPTIONS,
        "kind": "openai",
        "url": "http://127.0.0.1:8000/v1",
        "key": None,
        "no_key": True,
        "accept_terms": None,
        "mode": "fixed",
        "fixed": {"claude-sonnet-4-20250514": [1_000, 2_000]},
    }
    home.wizard(Silent(), **own).run()
    ghost = load_config(home.folder).ghost
    assert ghost is not None
    assert (ghost.offers[0].in_price, ghost.offers[0].out_price) == (1_000, 2_000)
    assert home.keys == {}


def test_the_old_form_gives_way(home: Home) -> None:
    home.config.write_text(
        OLD.replace('["client"]', '["client", "ghost"]')
        + '[link]\nlisten = "127.0.0.1:1"\n[ghost]\nprovider_url = "http://127.0.0.1:1"\n'
        + 'models = ["a"]\nmints = ["http://127.0.0.1:2"]\nlisted = false # mine\n'
    )
    home.wizard(Silent(), **OPTIONS).run()
    text = home.config.read_text()
    assert "provider_url" not in text
    assert "listed = false # mine" in text
    assert load_config(home.folder).ghost is not None


def test_terms_can_be_acknowledged_alone(home: Home) -> None:
    text = OLD.replace('["client"]', '["ghost"]')
    text += '[link]\nlisten = "127.0.0.1:1"\n[ghost]\nmodels = ["a"]\n'
    text += 'mints = ["http://127.0.0.1:2"]\n'
    text += 'in_price = 1\nout_price = 1\n[[ghost.upstreams]]\nurl = "https://llm.example/v1"\n'
    home.config.write_text(text)
    with pytest.raises(ConfigError, match="not acknowledged"):
        load_config(home.folder)
    current = home.tool("current")
    facts = home.tool("facts", upstreams=current["upstreams"])
    assert "llm.example" in facts["terms"]
    said = {"terms.text": facts["terms_hash"], "terms.acknowledged": facts["today"]}
    home.tool("write", ghost=said)
    assert load_config(home.folder).ghost is not None


def test_what_answers_mean() -> None:
    assert read_costs("1, 2.5 0.1") == ["1", "2.5", "0.1"]
    assert read_costs("none") == []
    assert read_pair("1 2") == [1, 2]
    for wrong in ("1", "a b", "1 2 3 4", "-1 2"):
        with pytest.raises(ValueError, match="Give"):
            read_costs(wrong)
    with pytest.raises(ValueError, match=r"2\.50"):
        dollars("nan")
