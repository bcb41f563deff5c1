"""Everything that `peer2prompt` offers to programs and notebooks, in one list."""

from __future__ import annotations

from engine.control.client import ControlClient, EventStream
from engine.control.paths import control_socket, default_home
from engine.control.protocol.events import read_event
from engine.control.protocol.frames import Event
from tui.notebook.answer import Answer
from tui.notebook.circuit import Circuit, Circuits
from tui.notebook.connecting import connect
from tui.notebook.conversation import ChatOptions, Conversation, QuestionOptions
from tui.notebook.errors import (
    AnswerLost,
    Cancelled,
    ControlClosed,
    ControlError,
    GhostFailed,
    MintFailed,
    NeedsConsent,
    NetworkFailed,
    NodeNotRunning,
    NodeStartFailed,
    PaymentFailed,
    Peer2PromptError,
    RemoteError,
    RequestRefused,
    StoreFailed,
    TooDear,
    WrongUse,
)
from tui.notebook.extension import load_ipython_extension, unload_ipython_extension
from tui.notebook.peer import Peer
from tui.notebook.reply import Call, Messages, Reply
from tui.notebook.results import (
    Chats,
    Earnings,
    Estimate,
    Examination,
    Ghost,
    Ghosts,
    Model,
    Models,
    Status,
)
from tui.notebook.wallet import Balance, History, Invoice, Mints, Received, Token

__all__ = [
    "Answer",
    "AnswerLost",
    "Balance",
    "Call",
    "Cancelled",
    "ChatOptions",
    "Chats",
    "Circuit",
    "Circuits",
    "ControlClient",
    "ControlClosed",
    "ControlError",
    "Conversation",
    "Earnings",
    "Estimate",
    "Event",
    "EventStream",
    "Examination",
    "Ghost",
    "GhostFailed",
    "Ghosts",
    "History",
    "Invoice",
    "Messages",
    "MintFailed",
    "Mints",
    "Model",
    "Models",
    "NeedsConsent",
    "NetworkFailed",
    "NodeNotRunning",
    "NodeStartFailed",
    "PaymentFailed",
    "Peer",
    "Peer2PromptError",
    "QuestionOptions",
    "Received",
    "RemoteError",
    "Reply",
    "RequestRefused",
    "Status",
    "StoreFailed",
    "Token",
    "TooDear",
    "WrongUse",
    "connect",
    "control_socket",
    "default_home",
    "load_ipython_extension",
    "read_event",
    "unload_ipython_extension",
]
