"""What an operator has to know of a provider's terms before serving others through its key.

The text is shown at set-up; its hash and the date are kept in the settings under [ghost.terms].
Without that the role does not start, and a changed text is shown again. It is no legal advice and
no word of the provider's: it says whose terms apply and where they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from engine.errors import ConfigError
from engine.settings_table import Table

_LINKS = {
    "openai.com": ("OpenAI", "https://openai.com/policies/"),
    "anthropic.com": ("Anthropic", "https://www.anthropic.com/legal"),
    "googleapis.com": ("Google Gemini", "https://ai.google.dev/gemini-api/terms"),
    "openrouter.ai": ("OpenRouter", "https://openrouter.ai/terms"),
}
_GENERAL = """\
BEFORE YOU SERVE OTHERS WITH YOUR KEY

A ghost sends other people's questions to a provider from your account.
- To the provider you are the one who asks. You answer for every question.
- The provider sees each question and each answer, and may keep them.
- Its terms say whether you may let others use your access at all, whether
  you may be paid for it, and what must not be asked. Some forbid it. Some
  want you to tell end users apart; the ghost can send a random value for
  each session (ghost.policy.tell_user), and never anything about a person.
- You may have to refuse some questions, and to act on complaints. Use
  [ghost.policy] for that; nothing of a question is kept by the ghost.
- The provider may refuse or close your account. Credit that clients hold
  with you stays owed to them.
- Laws of your country may ask more of you than the provider does.

Read the terms that apply to you, and serve only what they allow:"""


@dataclass(frozen=True)
class Acknowledged:
    """`[ghost.terms]`: which text was accepted, and on which day."""

    text: str = ""
    on: str = ""

    @classmethod
    def parse(cls, table: Table) -> Acknowledged:
        """Raises ConfigError."""
        found = cls(table.take("text", str, ""), table.date("acknowledged"))
        table.finish()
        return found


def terms_text(hosts: Iterable[str]) -> str:
    """The text for providers under these host names."""
    return "\n".join([_GENERAL, *sorted({f"  {_named(host)}" for host in hosts})])


def _named(host: str) -> str:
    for suffix, (name, link) in _LINKS.items():
        if host == suffix or host.endswith(f".{suffix}"):
            return f"{name}: {link}"
    return f"{host}: the terms it publishes, and those of the providers behind it"


def terms_hash(hosts: Iterable[str]) -> str:
    """What [ghost.terms] keeps of the text (hex of SHA-256)."""
    return hashlib.sha256(terms_text(hosts).encode()).hexdigest()


def check_acknowledged(said: Acknowledged, hosts: Iterable[str]) -> None:
    """Raises ConfigError unless the text for these providers was accepted; without a provider
    there is nothing to accept."""
    wanted = list(hosts)
    if not wanted:
        return
    if not said.text or not said.on:
        raise ConfigError(
            "The ghost does not start: its provider's terms are not acknowledged.",
            kept="Nothing was sent to the provider.",
            hint="Run `peer2prompt ghost setup`, or `peer2prompt ghost terms --accept`.",
        )
    if said.text != terms_hash(wanted):
        raise ConfigError(
            "The ghost does not start: what is to be known of its provider's terms has changed "
            "since they were acknowledged.",
            kept="Nothing was sent to the provider.",
            hint="Read it again: `peer2prompt ghost terms --accept`.",
        )
