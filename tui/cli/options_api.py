"""The options of `peer2prompt api ...`. Declarations only."""

from __future__ import annotations

from tui.cli.argtypes import Subparsers, branch
from tui.cli.options import command


def add_api(group: Subparsers) -> None:
    api = branch(
        group,
        "api",
        "the local API for other programs: OpenAI's forms, on this machine alone",
        ("peer2prompt api start", "then give a program the address and a key"),
        ("peer2prompt api key new editor", "a key for one program, shown once"),
    )
    start = command(
        api,
        "start",
        "cmd_api:start",
        "switch the API on in the running node",
        ("peer2prompt api start", "at the address of config.toml, or 127.0.0.1:8765"),
        ("peer2prompt api start --listen unix:/run/user/1000/p2p-api", "on a Unix socket"),
    )
    start.add_argument(
        "--listen", metavar="WHERE", default="", help="127.0.0.1:PORT, [::1]:PORT or unix:PATH"
    )
    command(
        api,
        "stop",
        "cmd_api:stop",
        "switch the API off; answers under way are stopped",
        ("peer2prompt api stop", ""),
    )
    command(
        api,
        "status",
        "cmd_api:status",
        "whether the API is on, where, and how busy",
        ("peer2prompt api status", ""),
    )
    command(
        api,
        "openapi",
        "cmd_api:openapi",
        "the description of the API in OpenAPI 3.1, as JSON",
        ("peer2prompt api openapi > peer2prompt.json", "the API serves it at /openapi.json too"),
    )
    command(
        api,
        "tags",
        "cmd_api:tags",
        "who is kept apart from whom: keys, sessions and their ghosts",
        ("peer2prompt api tags", "sessions that programs named are shown as digests only"),
    )
    release = command(
        api,
        "release",
        "cmd_api:release",
        "let other programs have the ghosts of tags that rest",
        ("peer2prompt api release 3f9a", "one tag, by the beginning of its name"),
        ("peer2prompt api release --all", "every tag that rests"),
    )
    which = release.add_mutually_exclusive_group(required=True)
    which.add_argument("tag", nargs="?", metavar="TAG", default="", help="see: api tags")
    which.add_argument("--all", action="store_true", help="every tag that rests")
    key = branch(
        api,
        "key",
        "keys of the API: one for each program",
        ("peer2prompt api key new editor", "a new key, shown once"),
    )
    new = command(
        key,
        "new",
        "cmd_api:new_key",
        "make a key and show it this once",
        ("peer2prompt api key new editor", "programs with different keys share no ghost"),
    )
    command(
        key,
        "list",
        "cmd_api:list_keys",
        "the names of all keys",
        ("peer2prompt api key list", ""),
    )
    revoke = command(
        key,
        "revoke",
        "cmd_api:revoke_key",
        "make a key worthless at once",
        ("peer2prompt api key revoke editor", ""),
    )
    for parser in (new, revoke):
        parser.add_argument("name", metavar="NAME", help="what the key is called")
