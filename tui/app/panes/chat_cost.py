"""The line below the box: what the next question costs and how it travels, before it is sent."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from tui.app.estimate import Estimate
from tui.app.link import CallFailed
from tui.app.panes.chat_deeds import ChatDeeds
from tui.app.text import msat

Pieces = list[tuple[str, str]]


class CostLine(ChatDeeds):
    """`paint_cost` runs on the slow timer, which is the pause after the last key, too."""

    cost_line: Static
    _cost_text: object = None
    _estimate: Estimate | None = None
    _estimated: object = None  # what the estimate is of
    _asked_about: object = None  # what the box held at the last look
    _estimating = False

    def paint_cost(self) -> None:
        self._follow_box()
        width = self.cost_line.size.width
        if pieces := self._estimate_pieces():
            pieces = self._with_shape(pieces, width - 1, give_way=False)
        else:
            pieces = self._with_shape(self._offer_pieces(width), width - 1, give_way=True)
        fresh = (tuple(pieces), width)
        if fresh != self._cost_text:
            self._cost_text = fresh
            self.cost_line.update(Content.assemble(" ", *pieces))

    # -- the estimate ------------------------------------------------------------------------

    def _box(self) -> tuple[object, ...] | None:
        """All that the cost of the next question hangs on; None while there is no question."""
        conversation, text = self.conversation, self.prompt.text
        if not text.strip() and not conversation.files:
            return None
        return (
            conversation.session_id,
            conversation.model,
            text,
            tuple(id(file) for file in conversation.files),
            len(conversation.messages),
            conversation.settings_serial,
        )

    def _follow_box(self) -> None:
        """Ask anew once the box has stayed the same for a look."""
        box = self._box()
        if box is None or box != self._estimated:
            self._estimate = None if box is None else self._estimate
        settled, self._asked_about = box == self._asked_about, box
        fresh = box is not None and box != self._estimated
        free = not self._estimating and self.conversation.live is None
        if fresh and settled and free and self.model.link.state == "up":
            self._estimating = True
            self.peer.act(self._ask_estimate(box))

    async def _ask_estimate(self, box: object) -> None:
        try:
            found = await self.controller.estimate(self.conversation, self.prompt.text)
        except CallFailed as exc:
            found = Estimate(trouble=exc.trouble)
        finally:
            self._estimating = False
        self._estimate, self._estimated = found, box
        self.paint_cost()

    def _estimate_pieces(self) -> Pieces:
        estimate = self._estimate
        if estimate is None or self._asked_about is None:
            return []
        warning = estimate.warning()
        if estimate.trouble is not None or not estimate.fits:
            return [(warning, "$warning")]
        model = estimate.model or self.conversation.model
        if warning:
            return [(estimate.cost(), "$foreground"), (f"  {warning}", "$warning")]
        pieces = [(model, "$accent"), (f"  {estimate.cost()}", "$foreground")]
        share = estimate.context()
        return [*pieces, (f", {share}", "$muted")] if share else pieces

    # -- without a question ------------------------------------------------------------------

    def _offer_pieces(self, width: int) -> Pieces:
        name = self.conversation.model
        offer = self.model.offer(name)
        if offer is None and not self.model.link.ever_up:
            return [("Prices are shown when the node is there", "$muted")]
        if offer is None:
            nobody = "No ghost is known yet, so there is nobody to ask"
            return [(f"{name}: no ghost offers it now" if name else nobody, "$warning")]
        prices = f"  in {msat(offer.in_price)}, out {msat(offer.out_price)} a million tokens"
        return [
            (offer.name, "$accent"),
            (prices if width >= 90 else "", "$muted"),
            (f"  at most {msat(offer.cap_msat)} an answer", "$foreground"),
            (f", {msat(offer.chunk_msat)} paid ahead", "$muted"),
        ]

    def _with_shape(self, pieces: Pieces, room: int, *, give_way: bool) -> Pieces:
        """And the traffic shape of the next question with its cost. Where there is little room
        what stands last gives way, or else the shape does."""
        shape = self.model.shape()
        if shape is None:
            return pieces
        tone = "$warning" if shape.weak else "$foreground"
        words = (f"{shape.name}: {shape.cost}", f"{shape.name} {shape.short_cost}")
        used = sum(len(text) for text, _ in pieces) + 2
        fitting = next((text for text in words if used + len(text) <= room), None)
        if fitting is None and not give_way:
            return pieces
        if fitting is None and len(pieces) > 1:
            pieces = pieces[:-1]
        return [*pieces, ("  ", "$muted"), (fitting or words[1], tone)]
