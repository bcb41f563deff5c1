"""A DNS server on loopback that answers every TXT question with what a test gives it."""

from __future__ import annotations

import socket
from collections.abc import Callable

import dns.flags
import dns.message
import dns.rrset
import trio

Answer = Callable[[dns.message.Message], bytes]


def txt(*records: bytes) -> Answer:
    """An answer with one TXT record for each of `records`, split as DNS demands."""

    def answer(query: dns.message.Message) -> bytes:
        reply = dns.message.make_response(query)
        name = query.question[0].name
        texts = [" ".join(_quoted(record)) for record in records]
        if texts:
            reply.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", *texts))
        return reply.to_wire(max_size=65_535)

    return answer


def _quoted(record: bytes) -> list[str]:
    parts = [record[at : at + 255] for at in range(0, len(record), 255)] or [b""]
    return ['"' + "".join(f"\\{byte:03d}" for byte in part) + '"' for part in parts]


class DnsServer:
    """Over UDP; `answer` may be changed while it runs, `asked` counts questions."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked = 0
        self.port = 0

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        with trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            await sock.bind(("127.0.0.1", 0))
            self.port = sock.getsockname()[1]
            task_status.started()
            while True:
                data, where = await sock.recvfrom(4_096)
                self.asked += 1
                await sock.sendto(self.answer(dns.message.from_wire(data)), where)
