"""The local API as an ASGI application: the door, the routes, and what each does.

An error that nobody foresaw is logged by its place alone and told without its text: it may hold a
question.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from engine.errors import Peer2PromptError
from engine.gateway import counting, openapi
from engine.gateway.asking import Asker
from engine.gateway.bodies import Wanted, check_form, read_chat, read_object
from engine.gateway.catalogue import catalogue, listed, not_offered, unknown_model
from engine.gateway.chat_form import ChatForm
from engine.gateway.door import Message, Receive, Scope, Send, Serve, check, read_body
from engine.gateway.doorway import welcome
from engine.gateway.embeddings import EmbeddingsForm, read_embeddings
from engine.gateway.forms import Form
from engine.gateway.keys import ApiKeys
from engine.gateway.messages_body import read_messages
from engine.gateway.messages_form import MessagesForm
from engine.gateway.problems import Problem, problem_of
from engine.gateway.replies import (
    EventStream,
    send_json,
    send_problem,
    send_whole,
    while_there,
)
from engine.gateway.responses_body import read_responses
from engine.gateway.responses_form import ResponsesForm
from engine.gateway.tags import MAX_SESSION, label_of, tag_of
from engine.log import say
from engine.log.events import ApiFailed
from engine.log.words import Fault
from engine.session.raw_body import features_of

KEY = "peer2prompt.key"
SESSION_HEADER = "x-peer2prompt-session"

Read = Callable[[Mapping[str, Any]], Wanted]
MakeForm = Callable[[str, Wanted, int], Form]
FORMS: tuple[tuple[str, Read, MakeForm], ...] = (
    ("/v1/chat/completions", read_chat, ChatForm),
    ("/v1/responses", read_responses, ResponsesForm),
    ("/v1/messages", read_messages, MessagesForm),
    ("/v1/embeddings", read_embeddings, EmbeddingsForm),
)


class Api:
    """The ASGI application."""

    def __init__(self, asker: Asker, keys: ApiKeys, now: Callable[[], float] = time.time) -> None:
        self._asker = asker
        self._keys = keys
        self._now = now
        self._routes = Starlette(
            routes=[
                Route(path, self._asking(read, form), methods=["POST"])
                for path, read, form in FORMS
            ]
            + [
                Route(counting.PATH, Endpoint(_count), methods=["POST"]),
                Route(openapi.PATH, Endpoint(self._described), methods=["GET"]),
                Route("/v1/models", Endpoint(self._models), methods=["GET"]),
                Route("/v1/models/{name:path}", Endpoint(self._model), methods=["GET"]),
            ],
            exception_handlers={HTTPException: _no_route},
        )
        self._routes.router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] == "http":
            try:
                scope[KEY] = check(scope["headers"], self._keys)
            except Problem as problem:
                await send_problem(send, problem)
                return
            welcome(scope)
        await self._routes(scope, receive, send)

    def _asking(self, read: Read, form: MakeForm) -> Endpoint:
        """The endpoint for questions of one form and answers of one."""

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            wanted = read(read_object(await read_body(receive)))
            check_form(wanted)
            made = form(secrets.token_hex(12), wanted, int(self._now()))
            await self._answer(wanted, made, scope, receive, send)

        return Endpoint(serve)

    async def _answer(
        self, wanted: Wanted, form: Form, scope: Scope, receive: Receive, send: Send
    ) -> None:
        who = (scope[KEY], _session(scope), wanted.body)
        tag, label = tag_of(*who), label_of(*who)

        async def work() -> None:
            try:
                async with self._asker.asking(wanted.body, wanted.model, tag, label) as answer:
                    if wanted.stream:
                        await EventStream(send).run(answer, form)
                    else:
                        await send_whole(send, answer, form)
            except Problem as problem:
                await send_problem(send, await self._explained(problem, wanted))

        await while_there(receive, work)

    async def _explained(self, problem: Problem, wanted: Wanted) -> Problem:
        """Where nobody could be asked: whether what was asked for is offered at all."""
        if (problem.status, problem.code) != (503, "ghost"):
            return problem
        try:
            models = await self._asker.models()
        except Peer2PromptError:
            return problem
        return not_offered(models, wanted.model, features_of(wanted.body)) or problem

    async def _described(self, scope: Scope, _receive: Receive, send: Send) -> None:
        host = Headers(scope=scope)["host"]  # the door let it in
        await send_json(send, openapi.describe_api(f"http://{host}"))

    async def _models(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send_json(send, listed(catalogue(await self._asker.models())))

    async def _model(self, scope: Scope, _receive: Receive, send: Send) -> None:
        name = scope["path_params"]["name"]
        for entry in catalogue(await self._asker.models()):
            if entry["id"] == name:
                await send_json(send, entry)
                return
        raise unknown_model()


class Endpoint:
    """Serves one route and tells its failures."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def noting(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._serve(scope, receive, noting)
        except Problem as problem:
            await send_problem(send, problem)
        except Exception as exc:  # the boundary towards a program: it gets a sentence of ours
            say(ApiFailed(Fault.of(exc)))
            if not begun:
                await send_problem(send, problem_of(exc))


async def _count(_scope: Scope, receive: Receive, send: Send) -> None:
    await send_json(send, counting.count_tokens(read_object(await read_body(receive))))


async def _no_route(_request: Request, exc: Exception) -> Response:
    known = exc if isinstance(exc, HTTPException) else HTTPException(404)
    headers = dict(known.headers or {})
    code = "unknown_url"
    words = "The local API has nothing here."
    if known.status_code == 405:
        code = "method_not_allowed"
        words = f"This path takes {headers.get('Allow', 'others')} only."
    hint = "See docs/api.md for its parts."
    problem = Problem(known.status_code, code, words, hint, headers=headers)
    return JSONResponse(problem.as_body(), problem.status, problem.all_headers())


def _session(scope: Scope) -> str:
    session = Headers(scope=scope).get(SESSION_HEADER, "")
    if len(session) > MAX_SESSION:
        raise Problem(
            400, "bad_headers", f"X-Peer2Prompt-Session has at most {MAX_SESSION} characters."
        )
    return session
