"""Tor under measurement: Debian's binary in a private network of its own on loopback.

Three hops (guard, middle, exit) through one fixed path, an authority and a client process; the
measuring program speaks SOCKS to the client with plain blocking sockets. With `no_delay` the same
binary runs with TCP_NODELAY on every socket, set by a preload shim that is compiled at run time.
"""

from __future__ import annotations

import os
import shutil
import socket
import statistics
import struct
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from bench.processes import BenchError, Children, cpu_s, free_port, rss_mib
from bench.servers import BULK_REQUEST, MESSAGE_BYTES, STAMP, TICK_REQUEST
from bench.tor_config import FIRST_VOTE_S, ROLES, authority_line, client_config, relay_config

ECHO_BYTES = 50
START_TIMEOUT_S = 180.0
SOCKET_TIMEOUT_S = 120.0
VOTE_WINDOW_S = 6.0  # into the voting interval: relays then publish before the vote
_PAUSE_S = 0.005
_GENCERT = ("-m", "12", "--passphrase-fd", "0")
_SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/* Accepted sockets inherit the option from the listening one. */
int socket(int domain, int type, int protocol) {
    static int (*next)(int, int, int);
    if (!next) next = (int (*)(int, int, int))dlsym(RTLD_NEXT, "socket");
    int fd = next(domain, type, protocol);
    if (fd >= 0 && (domain == AF_INET || domain == AF_INET6) && (type & 0xf) == SOCK_STREAM) {
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    return fd;
}
"""


def find_tor() -> str | None:
    """The tor program, or None when it is not installed."""
    return shutil.which("tor", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def tor_version() -> str:
    """What `tor --version` says first."""
    output = subprocess.run([_tor(), "--version"], capture_output=True, text=True, check=True)
    return output.stdout.splitlines()[0].strip().rstrip(".")


def _tor() -> str:
    path = find_tor()
    if path is None:
        raise BenchError("tor is not installed (Debian: apt-get install tor).")
    return path


def _with_config(torrc: Path) -> list[str]:
    return [_tor(), "--defaults-torrc", "/dev/null", "-f", str(torrc)]


def build_shim(folder: Path) -> Path:
    """Compile the TCP_NODELAY shim into `folder`."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise BenchError("No C compiler (cc) is installed, so Tor runs only as it is.")
    source, shim = folder / "nodelay.c", folder / "nodelay.so"
    source.write_text(_SHIM)
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O2", "-o", shim, source, "-ldl"],
        check=True,
        capture_output=True,
    )
    return shim


def wait_for_vote_window() -> None:
    """Sleep until there is time to start every relay before the authority's next vote."""
    into = time.time() % FIRST_VOTE_S
    if into > VOTE_WINDOW_S:
        time.sleep(FIRST_VOTE_S - into)


class TorNetwork:
    """Tor: authority, guard, middle, exit, client."""

    def __init__(
        self,
        children: Children,
        folder: Path,
        target: tuple[str, int],
        *,
        first_net: int,
        shim: Path | None = None,
        options: Sequence[str] = (),
    ) -> None:
        self.name = "tor" if shim is None else "tor_nodelay"
        self._options = "".join(f"{option}\n" for option in options)
        self._children = children
        self._folder = folder
        self._target = target
        self._shim = shim
        self._hosts = {
            role: f"127.{first_net + place}.0.1" for place, role in enumerate(("authority", *ROLES))
        }
        self._relays: dict[str, int] = {}
        self._client_pid = 0
        self._socks = ("127.0.0.1", free_port("127.0.0.1"))
        self._control: _Control
        self._fingerprints: dict[str, str] = {}
        self._echo: socket.socket

    # -- starting ------------------------------------------------------------------------------

    def start(self) -> None:
        """Create the keys and start every process; `wait_ready` waits for the consensus."""
        self._folder.mkdir()
        ports = {role: free_port(host) for role, host in self._hosts.items()}
        dir_port = free_port(self._hosts["authority"])
        for role, host in self._hosts.items():
            home = self._home(role)
            self._write(role, relay_config(role, home, host, ports[role], dir_port))
        authority = self._authority(ports["authority"], dir_port)
        for role in self._hosts:
            if role != "authority":
                self._fingerprints[role] = self._fingerprint(role, authority)
            self._append(role, authority)
            self._relays[role] = self._run(role)
        control = free_port("127.0.0.1")
        home = self._home("client")
        self._write("client", client_config(home, self._socks[1], control, self._fingerprints))
        self._append("client", authority)
        self._client_pid = self._run("client")
        self._control = _Control(control)

    def _home(self, role: str) -> Path:
        return self._folder / role

    def _write(self, role: str, text: str) -> None:
        home = self._home(role)
        (home / "data" / "keys").mkdir(parents=True, mode=0o700)
        (home / "data").chmod(0o700)
        (home / "resolv.conf").write_text("nameserver 127.0.0.1\n")
        (home / "torrc").write_text(text + self._options)

    def _append(self, role: str, line: str) -> None:
        with (self._home(role) / "torrc").open("a") as file:
            file.write(line)

    def _authority(self, or_port: int, dir_port: int) -> str:
        host = self._hosts["authority"]
        keys = self._home("authority") / "data" / "keys"
        subprocess.run(
            ["tor-gencert", "--create-identity-key", "-a", f"{host}:{dir_port}", *_GENCERT],
            input=b"loopback\n",
            cwd=keys,
            check=True,
            capture_output=True,
        )
        certificate = (keys / "authority_certificate").read_text().splitlines()
        v3_identity = next(
            line.split()[1] for line in certificate if line.startswith("fingerprint")
        )
        unnamed = authority_line(host, or_port, dir_port, v3_identity, "0" * 40)
        name = self._fingerprint("authority", unnamed)
        return authority_line(host, or_port, dir_port, v3_identity, name)

    def _fingerprint(self, role: str, authority: str) -> str:
        home = self._home(role)
        probe = home / "torrc.probe"
        probe.write_text((home / "torrc").read_text() + authority)
        argv = [*_with_config(probe), "--list-fingerprint"]
        output = subprocess.run(argv, capture_output=True, text=True, check=False).stdout
        for line in output.splitlines():
            if line.startswith(role + " "):
                return line.removeprefix(role).replace(" ", "")
        raise BenchError(f"tor made no key for its {role}.")

    def _run(self, role: str) -> int:
        env = dict(os.environ)
        if self._shim is not None:
            env["LD_PRELOAD"] = str(self._shim)
        home = self._home(role)
        argv = [*_with_config(home / "torrc"), "--Log", f"notice file {home / 'log'}"]
        return self._children.start(argv, log=home / "errors", env=env).pid

    def wait_ready(self) -> None:
        """Wait for the first consensus, then build the warm circuit and stream."""
        deadline = time.monotonic() + START_TIMEOUT_S
        self._control.open(deadline)
        while self._control.ask("GETINFO status/circuit-established")[0].endswith("=0"):
            if time.monotonic() > deadline:
                raise BenchError("Tor's private network did not come up in time.")
            time.sleep(0.25)
        self._echo = self._connect(deadline)
        self._echo.sendall(b"E")

    def _connect(self, deadline: float = 0.0) -> socket.socket:
        """A stream through the network; tries again until `deadline`."""
        while True:
            try:
                return self._open()
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.25)

    def _open(self) -> socket.socket:
        stream = socket.create_connection(self._socks, SOCKET_TIMEOUT_S)
        try:
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            host, port = self._target
            request = b"\x05\x01\x00\x01" + socket.inet_aton(host) + struct.pack(">H", port)
            # The greeting has no answer worth a wait of its own: both messages go at once.
            stream.sendall(b"\x05\x01\x00" + request)
            reply = _exactly(stream, 12)
            if reply[3] != 0:
                raise ConnectionError(f"tor refused the stream ({reply[3]})")
        except OSError:
            stream.close()
            raise
        return stream

    # -- measuring -----------------------------------------------------------------------------

    def pids(self) -> list[int]:
        """All hops and the client; not the authority."""
        return [*(self._relays[role] for role in ROLES), self._client_pid]

    def relay_rss(self) -> float:
        """Resident memory of the median relay in MiB."""
        return statistics.median(rss_mib(self._relays[role]) for role in ROLES)

    def build(self, count: int) -> list[float]:
        """Circuits over links that are open, one after the other: ms each."""
        path = ",".join("$" + self._fingerprints[role] for role in ROLES)
        times = []
        for _ in range(count):
            began = time.perf_counter()
            circuit = self._control.ask(f"EXTENDCIRCUIT 0 {path}")[0].split()[-1]
            self._control.wait_built(circuit)
            times.append((time.perf_counter() - began) * 1e3)
            self._control.ask(f"CLOSECIRCUIT {circuit}")
            time.sleep(_PAUSE_S)
        return times

    def streams(self, count: int) -> list[float]:
        """BEGIN to CONNECTED, the exit's own TCP connect included: ms each."""
        times = []
        for _ in range(count):
            began = time.perf_counter()
            stream = self._open()
            times.append((time.perf_counter() - began) * 1e3)
            stream.close()
            time.sleep(_PAUSE_S)
        return times

    def echo(self, count: int) -> list[float]:
        """Round trips of a small message on the warm stream: ms each."""
        times = []
        message = bytes(ECHO_BYTES)
        for _ in range(count):
            began = time.perf_counter()
            self._echo.sendall(message)
            _exactly(self._echo, ECHO_BYTES)
            times.append((time.perf_counter() - began) * 1e3)
        return times

    def ticks(self, count: int, interval_us: int) -> list[float]:
        """Time of stamped messages from the server to us: ms each."""
        times = []
        with self._open() as stream:
            stream.sendall(TICK_REQUEST.pack(b"T", count, interval_us))
            for _ in range(count):
                message = _exactly(stream, MESSAGE_BYTES)
                times.append((time.monotonic_ns() - STAMP.unpack_from(message)[0]) / 1e6)
        return times

    def bulk(self, size: int) -> tuple[float, float]:
        """(seconds, CPU seconds of all hops and the client) for one download."""
        with self._open() as stream:
            before = cpu_s(self.pids())
            began = time.perf_counter()
            stream.sendall(BULK_REQUEST.pack(b"B", size))
            left = size
            while left:
                part = stream.recv(65_536)
                if not part:
                    raise BenchError("Tor cut a stream short.")
                left -= len(part)
            seconds = time.perf_counter() - began
            return seconds, cpu_s(self.pids()) - before


class _Control:
    """The client's control port: commands, and the events of circuits."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._ended: dict[str, str] = {}  # circuit to its last event

    def open(self, deadline: float) -> None:
        while True:
            try:
                self._socket = socket.create_connection(("127.0.0.1", self._port), SOCKET_TIMEOUT_S)
                break
            except OSError as error:
                if time.monotonic() > deadline:
                    raise BenchError("Tor's client did not start.") from error
                time.sleep(0.1)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lines = self._socket.makefile("r", newline="\r\n")
        self.ask("AUTHENTICATE")
        self.ask("SETEVENTS CIRC")

    def ask(self, command: str) -> list[str]:
        """The lines of the answer. BenchError when Tor refuses."""
        self._socket.sendall(command.encode("ascii") + b"\r\n")
        answer = []
        while True:
            line = self._line()
            if line is None:
                continue
            answer.append(line)
            if not line.startswith("250"):
                raise BenchError(f"Tor's client answered {line!r}.")
            if line[3:4] == " ":
                return answer

    def wait_built(self, circuit: str) -> None:
        while circuit not in self._ended:
            self._line()
        if self._ended.pop(circuit) != "BUILT":
            raise BenchError("Tor could not build a circuit.")

    def _line(self) -> str | None:
        """The next line of an answer; None when it was an event, which is noted."""
        line = self._lines.readline().strip()
        if not line:
            raise BenchError("Tor's client ended.")
        if not line.startswith("650"):
            return line
        words = line.split()
        if words[1] == "CIRC" and words[3] in ("BUILT", "FAILED"):
            self._ended[words[2]] = words[3]
        return None


def _exactly(stream: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = stream.recv(size - len(data))
        if not part:
            raise ConnectionError("the stream ended")
        data += part
    return data
