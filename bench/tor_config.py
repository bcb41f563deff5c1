"""Settings of a private Tor network on loopback: one authority, guard, middle, exit, client.

Text only; bench/tor.py runs the programs. Everything listens on 127.x.0.1 and nothing outside the
machine is ever asked: no fallback directories, no DNS, no bridges.
"""

from __future__ import annotations

from pathlib import Path

ROLES = ("guard", "middle", "exit")
# Votes are held when the clock shows a multiple of the interval. A start waits for the first one;
# after it the network is left in peace for a minute at a time.
FIRST_VOTE_S = 20
_COMMON = """\
TestingTorNetwork 1
RunAsDaemon 0
Log notice stdout
UseDefaultFallbackDirs 0
AssumeReachable 1
PathsNeededToBuildCircuits 0.25
TestingV3AuthInitialVotingInterval 20
TestingV3AuthInitialVoteDelay 2
TestingV3AuthInitialDistDelay 2
V3AuthVotingInterval 60
V3AuthVoteDelay 10
V3AuthDistDelay 10
ServerDNSResolvConfFile {folder}/resolv.conf
ServerDNSDetectHijacking 0
ServerDNSTestAddresses 127.0.0.1
ServerDNSAllowBrokenConfig 1
GeoIPFile
GeoIPv6File
DataDirectory {folder}/data
Nickname {nickname}
"""
_RELAY = """\
SocksPort 0
ORPort {host}:{or_port}
Address {host}
"""
_AUTHORITY = """\
DirPort {host}:{dir_port}
AuthoritativeDirectory 1
V3AuthoritativeDirectory 1
ContactInfo bench@localhost
ExitRelay 0
TestingDirAuthVoteGuard *
TestingDirAuthVoteExit *
TestingDirAuthVoteHSDir *
TestingMinExitFlagThreshold 0
"""
_EXIT = """\
ExitRelay 1
ExitPolicyRejectPrivate 0
ExitPolicy accept *:*
"""
# One fixed path, kept for as long as the measurement takes; a second leg would not be comparable.
_CLIENT = """\
SocksPort 127.0.0.1:{socks_port}
ControlPort 127.0.0.1:{control_port}
CookieAuthentication 0
EntryNodes {guard}
MiddleNodes {middle}
ExitNodes {exit}
StrictNodes 1
ConfluxEnabled 0
MaxCircuitDirtiness 86400
CircuitBuildTimeout 60
LearnCircuitBuildTimeout 0
ClientRejectInternalAddresses 0
"""


def relay_config(role: str, folder: Path, host: str, or_port: int, dir_port: int) -> str:
    """The torrc of the authority or a relay, without the line that names the authority."""
    text = _COMMON.format(folder=folder, nickname=role) + _RELAY.format(host=host, or_port=or_port)
    if role == "authority":
        return text + _AUTHORITY.format(host=host, dir_port=dir_port)
    return text + (_EXIT if role == "exit" else "ExitRelay 0\n")


def client_config(
    folder: Path, socks_port: int, control_port: int, fingerprints: dict[str, str]
) -> str:
    """The torrc of the client: its path is guard, middle, exit and no other."""
    ports = _CLIENT.format(
        socks_port=socks_port,
        control_port=control_port,
        **{role: fingerprints[role] for role in ROLES},
    )
    return _COMMON.format(folder=folder, nickname="client") + ports


def authority_line(host: str, or_port: int, dir_port: int, v3_identity: str, name: str) -> str:
    """The DirAuthority line that every member of the network carries."""
    return (
        f"DirAuthority authority orport={or_port} no-v2 v3ident={v3_identity} "
        f"{host}:{dir_port} {name}\n"
    )
