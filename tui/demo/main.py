"""Runs a demo from start to clean end: processes, directory, funds, then the TUI or one question.

Whatever happens in between - an error, Ctrl+C, SIGTERM, a closed terminal - every process is
stopped and a temporary home removed. If this process is killed outright, the kernel and `keeper.py`
do both.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import select
import shutil
import signal
import sys
import tempfile
import time
from datetime import datetime
from functools import partial
from pathlib import Path

from engine.control.client import ControlError
from tui.demo import nodes
from tui.demo.children import Child
from tui.demo.errors import DemoError
from tui.demo.home import DemoHome, write_text
from tui.demo.options import Options, read_options
from tui.demo.places import RELAYS, STOP_ORDER
from tui.demo.plan import GPU_MODEL, Plan, Wanted
from tui.demo.provider_models import first_model
from tui.demo.served import told
from tui.demo.signals import StopSignals
from tui.demo.supervisor import Supervisor

_LAUNCH_TRIES = 3


class Log:
    """Progress for the user on standard error, and all of it with times in the demo's log."""

    def __init__(self) -> None:
        self.quiet = False  # while the TUI owns the terminal
        self.file: Path | None = None
        self._begun = time.monotonic()

    def __call__(self, text: str) -> None:
        if not self.quiet:
            with contextlib.suppress(OSError, ValueError):  # a closed terminal
                print(f"[{time.monotonic() - self._begun:5.1f} s] {text}", file=sys.stderr)
                sys.stderr.flush()
        if self.file is not None:
            stamp = datetime.now().isoformat(timespec="milliseconds")
            with contextlib.suppress(OSError), self.file.open("a", encoding="utf-8") as file:
                file.write(f"{stamp} {text}\n")


class Terminal:
    """Notices that the terminal was closed. The kernel tells only the leader of the session, which
    under `make` in a terminal of its own is make, and make tells nobody."""

    _AGAIN_S = 5.0

    def __init__(self) -> None:
        self._poll = select.poll()
        for descriptor in (0, 1, 2):
            if os.isatty(descriptor):
                self._poll.register(descriptor, 0)  # a hang-up is reported without asking
        self._signalled = -math.inf

    def signal_when_gone(self) -> None:
        """Send ourselves the signal that a closed terminal brings; again when nothing follows."""
        gone = any(events & select.POLLHUP for _, events in self._poll.poll(0))
        now = time.monotonic()
        if gone and now - self._signalled > self._AGAIN_S:
            self._signalled = now
            os.kill(os.getpid(), signal.SIGHUP)


class Demo:
    """One run of the demo."""

    def __init__(self, options: Options, signals: StopSignals | None = None) -> None:
        self._options = options
        self._signals = signals or StopSignals()
        self._log = Log()
        self._home = DemoHome.open(options.home)
        self._log.file = self._home.log("demo")
        self._supervisor = Supervisor(self._log)
        self._secrets: Path | None = None
        self._terminal = Terminal()

    def run(self) -> int:
        if self._home.temporary and not self._options.keep:
            self._supervisor.keeper.say("folder", str(self._home.root))
        plan = self._launch(self._wanted())
        try:
            have = self._signals.run(
                nodes.fund, self._home, plan.mint_url, self._log, self._options.fund_timeout_s
            )
        except ControlError as exc:
            # Without ecash no question can be asked; the screen still shows the network and why.
            if self._options.ask is not None or self._options.api:
                raise
            self._log(f"the wallet could not be funded: {exc.message} {exc.hint}")
        else:
            self._log(f"the wallet holds {have} sat at {plan.mint_url}")
        if self._options.ask is not None:
            return self._ask(self._options.ask)
        if self._options.api:
            return self._serve(plan)
        return self._screen()

    def stop(self) -> None:
        """Stop every process and remove what must not stay. May be called at any stage."""
        self._log("stopping: circuits run to the end of their bucket (Ctrl+C hurries)")
        try:
            self._supervisor.stop(STOP_ORDER)
        finally:
            if self._secrets is not None:
                shutil.rmtree(self._secrets, ignore_errors=True)
            if self._home.temporary and not self._options.keep:
                self._log.file = None
                shutil.rmtree(self._home.root, ignore_errors=True)
            elif self._options.keep:
                self._log(f"logs and state are in {self._home.root}")

    def hurry(self) -> None:
        """Stop without waiting for anybody."""
        self._supervisor.hurry()

    def _wanted(self) -> Wanted:
        options = self._options
        models = options.models
        if options.provider_url is not None and not models:
            models = (first_model(options.provider_url, options.provider_key),)
            self._log(f"the provider's model is {models[0]}")
        return Wanted(
            provider_url=options.provider_url,
            models=models,
            mint=options.mint,
            key_file=self._key_file(),
            gpu=options.gpu,
            ghosts=options.ghosts,
            features=options.features,
            api=options.api,
        )

    def _key_file(self) -> Path | None:
        """The provider's key in a private file outside the home, gone when the demo ends."""
        if not self._options.provider_key:
            return None
        base = os.environ.get("XDG_RUNTIME_DIR")
        folder = base if base and os.access(base, os.W_OK) else None
        self._secrets = Path(tempfile.mkdtemp(prefix="peer2prompt-demo-", dir=folder))
        self._supervisor.keeper.say("folder", str(self._secrets))
        path = self._secrets / "provider.key"
        write_text(path, self._options.provider_key)
        return path

    def _launch(self, wanted: Wanted) -> Plan:
        """Start everything. A port that another program took meanwhile is chosen anew."""
        for attempt in range(1, _LAUNCH_TRIES + 1):
            plan = Plan(self._home, wanted)
            try:
                self._start(plan)
            except DemoError as exc:
                if exc.code != "address_in_use" or attempt == _LAUNCH_TRIES:
                    raise
                self._log("a port was taken meanwhile; choosing others")
                self._supervisor.stop_children(STOP_ORDER)
                continue
            self._home.remember(plan.ports)
            return plan
        raise AssertionError("unreachable")

    def _start(self, plan: Plan) -> None:
        supervisor = self._supervisor
        services, relays = plan.services(), plan.relays()
        ghosts = plan.ghosts()
        count = plan.wanted.ghosts
        some = "a ghost" if count == 1 else f"{count} ghosts"
        gpu = ["a GPU node"] if plan.wanted.gpu else []
        helpers = [f"a {spec.name}" for spec in services]
        names = ["six relays", some, *gpu, "a client", *helpers]
        self._log(f"starting {', '.join(names)}")
        # The slow ones first; those that want a mint and relays when both are there.
        supervisor.wait_ready(supervisor.start([*services, *relays]), self._is_ready)
        self._signals.run(nodes.introduce, self._home, RELAYS)
        supervisor.wait_ready(supervisor.start(ghosts), self._is_ready)
        # The client comes last: what its first contacts tell it is then the whole network.
        if not self._signals.run(
            nodes.wait_until_met, self._home, RELAYS[: nodes.CONTACTS], len(plan.listeners)
        ):
            self._log("not all nodes have found each other yet")
        supervisor.wait_ready(supervisor.start([plan.client()]), self._is_ready)
        supervisor.watch(self._is_ready, self._terminal.signal_when_gone)

    def _is_ready(self, child: Child) -> None:
        self._log(f"{child.name} is ready")

    def _ask(self, text: str) -> int:
        from tui.demo.ask import ask

        out = None if self._options.json else sys.stdout
        result = self._signals.run(
            partial(ask, out=out, note=self._log, timeout_s=self._options.timeout_s),
            nodes.socket_of(self._home, "client"),
            text,
            next(iter(self._options.models), GPU_MODEL if self._options.gpu else None),
        )
        if self._options.json:
            print(json.dumps(result, ensure_ascii=False))
            sys.stdout.flush()
        else:
            self._log(
                f"{result.get('tokens_out')} tokens for {result.get('cost_msat')} msat; first token"
                f" after {float(result.get('ttft_ms') or 0) / 1000:.1f} s"
            )
        return 0

    def _serve(self, plan: Plan) -> int:
        """Say where the local API is, and let programs ask until stopped."""
        key = self._signals.run(nodes.api_key, self._home)
        print(told(plan.api_url, key, json_wanted=self._options.json))
        sys.stdout.flush()
        self._log("programs can ask now; Ctrl+C stops the demo")
        while True:
            signal.pause()

    def _screen(self) -> int:
        from tui.app.main import run_tui

        self._log("opening the screen")
        self._log.quiet = True
        try:
            return run_tui(
                nodes.socket_of(self._home, "client"),
                earnings_socket=nodes.socket_of(self._home, "ghost"),
            )
        finally:
            self._log.quiet = False


def run_demo(args: argparse.Namespace) -> int:
    """The whole demo; returns the exit code of the command. Errors made on purpose and `Stopped`
    pass through: the command line reports them."""
    with StopSignals() as signals:
        demo = Demo(read_options(args), signals)
        try:
            return demo.run()
        finally:
            signals.only_hurry(demo.hurry)
            demo.stop()
