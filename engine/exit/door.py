"""The ghost's door in order: paused or without a key, moderation, caps, a slot in the line.

`Door.admit` is what a session asks (engine.exit.admission). It counts; it keeps and logs nothing of
a question.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from engine.exit.admission import Gate, Granted, Question, Spent
from engine.exit.caps import Amount, Caps, Held, SpendBook, actual, most
from engine.exit.prices import to_msat
from engine.exit.queue import AnswerQueue, Slot
from engine.exit.settings_models import ModelSettings
from engine.market.commands import Refusal
from engine.market.weight import metered_bytes

PAUSED = Refusal("The ghost takes no questions now.", "refused")
UNWELL = Refusal("The ghost takes no questions now.", "busy", 60)
NO_KEY = Refusal("The AI provider refused the ghost's key.", "provider_auth")
GONE = Refusal("The ghost does not serve this model any more.", "refused")
TOO_LONG = Refusal("The question is longer than this ghost takes.", "refused")
EMBED_OUT = 0


class Door:
    """Admits questions. `gates` judge their content; `models` are those that are served.
    `is_unwell` says that the ghost's books cannot be written."""

    def __init__(
        self,
        *,
        models: Mapping[str, ModelSettings],
        gates: Sequence[Gate],
        caps: Caps,
        queue: AnswerQueue,
        book: SpendBook,
        sat_per_usd: Callable[[], int],
        on_key_refused: Callable[[str], Awaitable[None]],
        is_unwell: Callable[[], bool] = lambda: False,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.models = models
        self.gates = gates
        self.caps = caps
        self.queue = queue
        self.paused = False
        self.barred: frozenset[str] = frozenset()
        """Models whose providers refused the key."""
        self._book = book
        self._sat_per_usd = sat_per_usd
        self._on_key_refused = on_key_refused
        self._is_unwell = is_unwell
        self._now = now

    async def admit(self, question: Question) -> Granted | Refusal:
        """See `engine.exit.admission.Admission`."""
        model = self.models.get(question.ask.model)
        if (refusal := self._closed(model, question)) is not None or model is None:
            return refusal or GONE
        for gate in self.gates:
            if (refusal := await gate(question)) is not None:
                return refusal
        weight = metered_bytes(question.ask.body)
        most_out = getattr(question.form.request, "max_tokens", EMBED_OUT)
        amount = most(model, weight, most_out)
        held = self.caps.hold(amount, self._now())
        if isinstance(held, Refusal):
            return held
        try:
            slot = await self.queue.enter(question.session)
        except BaseException:
            held.release()
            raise
        if slot is None:
            held.release()
            return Refusal("The ghost is busy.", "busy", self.queue.after_s)
        return Granted(question.form, DoorPlace(self, model, weight, held, slot))

    def _closed(self, model: ModelSettings | None, question: Question) -> Refusal | None:
        if self.paused:
            return PAUSED
        if self._is_unwell():
            return UNWELL
        if model is not None and model.name in self.barred:
            return NO_KEY
        if model is None:
            return GONE
        if len(question.ask.body) > self.caps.settings.max_question_kib << 10:
            return TOO_LONG
        return None

    async def begin(self, held: Held, model: ModelSettings) -> None:
        """A place is about to cost."""
        await held.begin(self._book, model.name)

    async def key_refused(self, model: str) -> None:
        """No provider of the model took its key."""
        await self._on_key_refused(model)

    async def end(self, held: Held, cost: Amount, tokens_in: int, tokens_out: int) -> None:
        """A place is through with the provider."""
        msat = to_msat(cost.micro_usd, self._sat_per_usd())
        await held.end(self._book, cost, msat, tokens_in, tokens_out)


class DoorPlace:
    """One question's slot and its part of the caps (`engine.exit.admission.Place`)."""

    def __init__(
        self, door: Door, model: ModelSettings, weight: int, held: Held, slot: Slot
    ) -> None:
        self._door = door
        self._model = model
        self._weight = weight
        self._held = held
        self._slot = slot

    async def begin(self) -> None:
        """In the books at its most, before the provider hears of it."""
        await self._door.begin(self._held, self._model)

    async def end(self, spent: Spent) -> None:
        """In the books at what it was."""
        cost, tokens_in, tokens_out = actual(self._model, self._weight, spent)
        await self._door.end(self._held, cost, tokens_in, tokens_out)
        if spent.failure == "auth":
            await self._door.key_refused(self._model.name)
        self.release()

    def release(self) -> None:
        """Others may come in."""
        self._held.release()
        self._slot.release()
