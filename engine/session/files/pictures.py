"""Takes out of a picture what is not the picture: place, time, camera, names, previews.

PNG, JPEG, GIF and WebP are rebuilt from the pieces that a viewer needs; every other piece is left
behind, known or not, and so is what stands after the end. Pixels are not decoded and not changed.
Of a JPEG's EXIF the one value that says which side is up is kept. A file that does not follow its
format is refused: what cannot be read cannot be cleaned. Pure.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from engine.errors import WireError

PNG_HEAD = b"\x89PNG\r\n\x1a\n"
PNG_KEPT = frozenset(b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB sBIT bKGD acTL fcTL fdAT".split())
WEBP_KEPT = frozenset((b"VP8 ", b"VP8L", b"ALPH", b"ANIM"))
FRAME_HEAD = 16
"""Bytes of an ANMF chunk before the chunks of its frame."""
WEBP_FLAGS = 0b0001_0010
"""Of VP8X: alpha and animation. Colour profile, EXIF and XMP are gone."""
JPEG_PLAIN = frozenset((0x01, *range(0xD0, 0xD8)))
"""Markers without a length."""
ORIENTATION = 0x0112
GIF_LOOP = b"NETSCAPE2.0"


def clean(data: bytes) -> tuple[str, bytes]:
    """(media type, the picture without anything else). Raises WireError for what is no whole
    picture of a known kind."""
    for mime, begins, rebuild in _KINDS:
        if begins(data):
            try:
                return mime, rebuild(data)
            except (struct.error, IndexError):
                raise _damaged() from None
    raise WireError("The file is no PNG, JPEG, GIF or WebP picture.")


def _damaged() -> WireError:
    return WireError("The picture is damaged or cut short, so nothing can be taken out of it.")


def _piece(data: bytes, start: int, size: int) -> bytes:
    if size < 0 or start + size > len(data):
        raise _damaged()
    return data[start : start + size]


# -- PNG -------------------------------------------------------------------------------------------


def _png(data: bytes) -> bytes:
    out = [PNG_HEAD]
    at, kind = len(PNG_HEAD), b""
    while kind != b"IEND":
        (size,) = struct.unpack_from(">I", data, at)
        chunk = _piece(data, at, size + 12)
        kind = chunk[4:8]
        if len(out) == 1 and kind != b"IHDR":
            raise _damaged()
        if kind in PNG_KEPT:
            out.append(chunk)
        at += len(chunk)
    return b"".join(out)


# -- JPEG ------------------------------------------------------------------------------------------


def _jpeg(data: bytes) -> bytes:
    out = [b"\xff\xd8"]
    at = 2
    while True:
        at, marker = _marker(data, at)
        if marker == 0xD9:
            return b"".join([*out, b"\xff\xd9"])
        if marker in JPEG_PLAIN:
            out.append(bytes((0xFF, marker)))
            continue
        (size,) = struct.unpack_from(">H", data, at)
        if size < 2:
            raise _damaged()
        body = _piece(data, at + 2, size - 2)
        at += size
        if kept := _jpeg_segment(marker, body):
            out.append(kept)
        if marker == 0xDA:
            end = _scan_end(data, at)
            out.append(data[at:end])
            at = end


def _marker(data: bytes, at: int) -> tuple[int, int]:
    """The marker at this place, and where its body begins; any number of fill bytes before it."""
    if data[at] != 0xFF:
        raise _damaged()
    while data[at] == 0xFF:
        at += 1
    if data[at] in (0x00, 0xD8):
        raise _damaged()
    return at + 1, data[at]


def _jpeg_segment(marker: int, body: bytes) -> bytes:
    """The segment as it stays, b"" when it goes."""
    if marker == 0xE0:
        # The JFIF head without the preview that may follow it.
        body = body[:12] + b"\0\0" if body.startswith(b"JFIF\0") and len(body) >= 14 else b""
    elif marker == 0xE1:
        body = _upright(body)
    elif marker == 0xEE:
        body = body[:12] if body.startswith(b"Adobe") else b""
    elif 0xE0 <= marker <= 0xEF or marker == 0xFE:
        body = b""
    if not body:
        return b""
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def _scan_end(data: bytes, at: int) -> int:
    """Where the coded pixels end: at a marker that is neither a stuffed byte nor a restart."""
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            raise _damaged()
        if data[at + 1] != 0x00 and not 0xD0 <= data[at + 1] <= 0xD7 and data[at + 1] != 0xFF:
            return at
        at += 1 if data[at + 1] == 0xFF else 2


def _upright(body: bytes) -> bytes:
    """An EXIF block that holds nothing but the orientation; b"" without one."""
    if not body.startswith(b"Exif\0\0"):
        return b""
    tiff = body[6:]
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return b""
    try:
        (start,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, start)
        for place in range(count):
            entry = struct.unpack_from(order + "HHIH", tiff, start + 2 + 12 * place)
            if entry[:3] == (ORIENTATION, 3, 1) and 2 <= entry[3] <= 8:
                head = struct.pack(">2sHIH", b"MM", 42, 8, 1)
                value = struct.pack(">HHIHH", ORIENTATION, 3, 1, entry[3], 0)
                return b"Exif\0\0" + head + value + bytes(4)
    except struct.error:
        return b""
    return b""


# -- GIF -------------------------------------------------------------------------------------------


def _gif(data: bytes) -> bytes:
    at = 13 + _table_bytes(data[10])
    out = [_piece(data, 0, at)]
    while True:
        kind = data[at]
        if kind == 0x3B:
            return b"".join([*out, b";"])
        if kind == 0x21:
            end = _blocks_end(data, at + 2)
            loops = data[at + 1] == 0xFF and data[at + 3 : at + 14] == GIF_LOOP
            if data[at + 1] == 0xF9 or loops:
                out.append(data[at:end])
        elif kind == 0x2C:
            end = _blocks_end(data, at + 11 + _table_bytes(data[at + 9]))
            out.append(data[at:end])
        else:
            raise _damaged()
        at = end


def _table_bytes(flags: int) -> int:
    return 3 << ((flags & 0b111) + 1) if flags & 0x80 else 0


def _blocks_end(data: bytes, at: int) -> int:
    while size := data[at]:
        at += size + 1
    return at + 1


# -- WebP ------------------------------------------------------------------------------------------


def _webp(data: bytes) -> bytes:
    (whole,) = struct.unpack_from("<I", data, 4)
    if whole + 8 > len(data) + 1:
        raise _damaged()
    pixels = _webp_chunks(data[12 : whole + 8])
    if b"VP8" not in pixels:
        raise _damaged()
    return b"RIFF" + struct.pack("<I", len(pixels) + 4) + b"WEBP" + pixels


def _webp_chunks(data: bytes) -> bytes:
    out: list[bytes] = []
    for kind, body in _riff(data):
        kept = body
        if kind == b"VP8X" and len(body) == 10:
            kept = bytes((body[0] & WEBP_FLAGS,)) + body[1:]
        elif kind == b"ANMF":
            kept = body[:FRAME_HEAD] + _webp_chunks(body[FRAME_HEAD:])
        elif kind not in WEBP_KEPT:
            continue
        out.append(kind + struct.pack("<I", len(kept)) + kept + b"\0" * (len(kept) % 2))
    return b"".join(out)


def _riff(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        (size,) = struct.unpack_from("<I", data, at + 4)
        yield data[at : at + 4], _piece(data, at + 8, size)
        at += 8 + size + size % 2


_KINDS: tuple[tuple[str, Callable[[bytes], bool], Callable[[bytes], bytes]], ...] = (
    ("image/png", lambda data: data.startswith(PNG_HEAD), _png),
    ("image/jpeg", lambda data: data.startswith(b"\xff\xd8\xff"), _jpeg),
    ("image/gif", lambda data: data.startswith((b"GIF87a", b"GIF89a")), _gif),
    ("image/webp", lambda data: data[:4] == b"RIFF" and data[8:12] == b"WEBP", _webp),
)
