"""Several upstreams as one backend: balanced, watched, and failed over before the first word.

An answer that failed before its first word is asked again of another upstream; once a word was
sent on it is never begun anew, because the client has read and paid for it. What goes wrong with
every upstream leaves as the last ProviderError, with the shortest wait that any of them named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar, runtime_checkable

import trio

from engine.errors import ProviderError
from engine.exit.backends.base import Backend, ChatRequest, EmbedRequest, Events, Usage
from engine.exit.backends.faults import provider_error
from engine.exit.backends.health import OWN_FAULTS, State
from engine.exit.backends.listing import Lister, Listing
from engine.exit.backends.places import Member, Places
from engine.exit.backends.upstream import Upstream

BUSY_S = 10.0
"""When to come back after all that are well were full."""
WAIT_S = 30.0
"""How long a question waits for a place before its asker is told that the ghost is busy."""
Request = TypeVar("Request", ChatRequest, EmbedRequest)


@dataclass(frozen=True, slots=True)
class UpstreamStatus:
    """One upstream as its operator sees it. Counts and states only."""

    name: str
    kind: str
    state: State
    failure: str
    """The kind of its last failure while it is not well."""
    wait_s: float | None
    """Seconds until it is tried again; None when it waits for its operator."""
    in_flight: int


@runtime_checkable
class Loadable(Protocol):
    """A backend that holds a model of its own and can be made ready ahead of the first question."""

    async def load(self) -> None: ...


@runtime_checkable
class Examiner(Protocol):
    """A backend that can judge a question by itself, before anything is paid."""

    async def examine(self, request: ChatRequest | EmbedRequest) -> int: ...


class Pool:
    """A Backend over all upstreams. Requests name models as they are offered."""

    def __init__(
        self,
        upstreams: Sequence[tuple[Upstream, Backend]],
        *,
        wait_s: float = WAIT_S,
        now: Callable[[], float] = trio.current_time,
    ) -> None:
        self._members = [Member(upstream, backend) for upstream, backend in upstreams]
        self._retired: list[Backend] = []
        self._places = Places(self._members, now)
        self._wait_s = wait_s
        self._now = now

    def __repr__(self) -> str:
        return f"Pool({len(self._members)} upstreams)"

    async def load(self) -> None:
        """Make the models of this machine ready. Raises ConfigError when one cannot be loaded."""
        for member in self._members:
            if isinstance(member.backend, Loadable):
                await member.backend.load()

    async def aclose(self) -> None:
        for backend in [*self._retired, *(member.backend for member in self._members)]:
            with trio.CancelScope(shield=True):
                await backend.aclose()
        self._retired.clear()

    @property
    def upstreams(self) -> Sequence[Upstream]:
        """What it was made of, in order."""
        return [member.upstream for member in self._members]

    def swap(self, place: int, upstream: Upstream, backend: Backend) -> None:
        """From now on questions go there with another backend, such as one with a new key, and it
        counts as well. Answers that run end on the old one, which is closed with the pool."""
        member = self._members[place]
        self._retired.append(member.backend)
        member.upstream, member.backend = upstream, backend
        member.health.restore()
        self._places.wake()

    # -- facts -----------------------------------------------------------------------------------

    def features(self, model: str) -> frozenset[str]:
        """What every upstream of the model can do."""
        able = [
            member.backend.features(member.upstream.own_name(model))
            for member in self._places.serving(model)
        ]
        return frozenset.intersection(*able) if able else frozenset()

    async def models(self) -> Sequence[str]:
        """The offered names; of an upstream without a list, those it tells. An upstream that does
        not answer is left out; ProviderError when none does."""
        names: dict[str, None] = {}
        failure: ProviderError | None = None
        for member in self._members:
            if member.upstream.models:
                names |= dict.fromkeys(member.upstream.models)
                continue
            try:
                names |= dict.fromkeys(await member.backend.models())
            except ProviderError as error:
                failure = error
        if failure is not None and not names:
            raise failure
        return list(names)

    async def listing(self, place: int) -> Listing:
        """What the upstream in this place lists, where its format may tell prices. Raises
        ProviderError."""
        backend = self._members[place].backend
        return await backend.listing() if isinstance(backend, Lister) else Listing(())

    def backends(self) -> Mapping[str, Backend]:
        """Each offered model's first backend, for facts of its own such as a model file's hash."""
        found: dict[str, Backend] = {}
        for member in self._members:
            for name in member.upstream.models:
                found.setdefault(name, member.backend)
        return found

    def status(self) -> list[UpstreamStatus]:
        """All upstreams in their order."""
        now = self._now()
        return [
            UpstreamStatus(
                name=member.upstream.name,
                kind=member.upstream.kind,
                state=member.health.state,
                failure=member.health.kind,
                wait_s=member.health.wait_s(now),
                in_flight=member.in_flight,
            )
            for member in self._members
        ]

    def restore(self, name: str = "") -> int:
        """The operator says that upstreams of this name (all for "") are well again, for example
        after renewing a key at the provider; how many there are."""
        named = [m for m in self._members if not name or m.upstream.name == name]
        for member in named:
            member.health.restore()
        self._places.wake()
        return len(named)

    # -- answers ---------------------------------------------------------------------------------

    def stream_chat(self, request: ChatRequest) -> Events:
        """The answer of one upstream; ProviderError when no upstream gives one."""
        return self._ask(request, lambda backend, asked: backend.stream_chat(asked))

    def embed(self, request: EmbedRequest) -> Events:
        """The vectors of one upstream; ProviderError when no upstream gives them."""
        return self._ask(request, lambda backend, asked: backend.embed(asked))

    async def examine(self, request: ChatRequest | EmbedRequest) -> int:
        """The tokens of a question where an upstream can count them itself, else 0; ProviderError
        when it would be refused."""
        for member in self._places.serving(request.model):
            if isinstance(member.backend, Examiner):
                own = member.upstream.own_name(request.model)
                return await member.backend.examine(replace(request, model=own))
        return 0

    async def _ask(self, request: Request, call: Callable[[Backend, Request], Events]) -> Events:
        barred: frozenset[int] = frozenset()
        failure: ProviderError | None = None
        while True:
            member = await self._member(request, barred, failure)
            spoke = False
            try:
                own = replace(request, model=member.upstream.own_name(request.model))
                async with aclosing(call(member.backend, own)) as events:
                    async for event in events:
                        if not spoke and not isinstance(event, Usage):
                            spoke = True
                            member.health.spoke()
                        yield event
                return
            except ProviderError as error:
                member.health.failed(error.kind, error.retry_after_s, self._now())
                if spoke or error.kind not in OWN_FAULTS:
                    raise
                failure = error
                barred |= {self._members.index(member)}
            finally:
                member.health.left()
                self._places.leave(member)

    async def _member(
        self, request: Request, barred: frozenset[int], failure: ProviderError | None
    ) -> Member:
        member = await self._places.take(request.model, request.session, barred, self._wait_s)
        if member is None:
            raise self._nobody(request.model, failure)
        return member

    def _nobody(self, model: str, failure: ProviderError | None) -> ProviderError:
        """Why no upstream can be asked: the last failure, or what is known of all of them."""
        now = self._now()
        serving = self._places.serving(model)
        waits = [wait for member in serving if (wait := member.health.wait_s(now)) is not None]
        after = min(waits, default=0.0)
        if failure is not None:
            return provider_error(failure.kind, failure.retry_after_s or after or None)
        if not serving:
            return provider_error("bad_request")
        if any(member.health.state == "well" for member in serving):
            return provider_error("overloaded", BUSY_S)
        kinds = {member.health.kind for member in serving}
        return provider_error(kinds.pop() if len(kinds) == 1 else "overloaded", after or None)
