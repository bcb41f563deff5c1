"""Pictures are sent without what is not the picture; what cannot be read is not sent."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import WireError
from engine.session.files.pictures import PNG_HEAD, clean

PLACE = b"GPS 47.3769N 8.5417E"
SECRET = b"Serial 12345, Jane's camera"


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


HEAD = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
PIXEL = png_chunk(b"IDAT", zlib.compress(b"\0\xff\0\0"))
END = png_chunk(b"IEND", b"")
PNG = PNG_HEAD + HEAD + PIXEL + END
DIRTY_PNG = (
    PNG_HEAD
    + HEAD
    + png_chunk(b"tEXt", b"Comment\0" + PLACE)
    + png_chunk(b"eXIf", b"MM\0*" + SECRET)
    + png_chunk(b"iTXt", SECRET)
    + png_chunk(b"tIME", bytes(7))
    + PIXEL
    + png_chunk(b"vpAg", SECRET)
    + END
    + b"trailing " + SECRET
)  # fmt: skip


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def exif(orientation: int, order: str = ">") -> bytes:
    mark = b"MM" if order == ">" else b"II"
    entries = [
        struct.pack(order + "HHII", 0x010F, 2, 20, 60),
        struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0),
        struct.pack(order + "HHII", 0x8825, 4, 1, 80),
    ]
    head = mark + struct.pack(order + "HI", 42, 8) + struct.pack(order + "H", len(entries))
    return b"Exif\0\0" + head + b"".join(entries) + bytes(4) + PLACE + SECRET


JFIF = segment(0xE0, b"JFIF\0\1\2\0\0\1\0\1\0\0")
TABLES = segment(0xDB, bytes(65)) + segment(0xC0, bytes(15)) + segment(0xC4, bytes(29))
SCAN = segment(0xDA, bytes(10)) + b"\x12\xff\x00\x34\xff\xd0\x56"
MORE = segment(0xC4, bytes(20)) + segment(0xDA, bytes(10)) + b"\x78\xff\x00"
JPEG = b"\xff\xd8" + JFIF + TABLES + SCAN + MORE + b"\xff\xd9"


def dirty_jpeg(block: bytes) -> bytes:
    return (
        b"\xff\xd8"
        + segment(0xE0, b"JFIF\0\1\2\0\0\1\0\1\1\1" + SECRET[:3])
        + segment(0xE1, block)
        + segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + SECRET)
        + segment(0xE2, b"ICC_PROFILE\0" + SECRET)
        + segment(0xED, b"Photoshop 3.0\0" + PLACE)
        + b"\xff" + segment(0xFE, SECRET)
        + TABLES
        + SCAN
        + segment(0xFE, SECRET)
        + MORE
        + b"\xff\xd9"
        + b"\xff\xd8 a second picture " + SECRET
    )  # fmt: skip


GIF_START = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6)
GIF_FRAME = b"\x2c" + bytes(8) + b"\0" + b"\x02\x02\x4c\x01\x00"
GIF_LOOP = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"
GIF = GIF_START + GIF_LOOP + b"\x21\xf9\x04\0\0\0\0\0" + GIF_FRAME + b";"
DIRTY_GIF = (
    GIF_START
    + GIF_LOOP
    + b"\x21\xfe" + bytes((len(SECRET),)) + SECRET + b"\0"
    + b"\x21\xff\x0bXMP DataXMP" + bytes((len(PLACE),)) + PLACE + b"\0"
    + b"\x21\xf9\x04\0\0\0\0\0" + GIF_FRAME + b";" + SECRET
)  # fmt: skip


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(
        kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
        for kind, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


FRAME = bytes(16) + b"VP8L" + struct.pack("<I", 3) + b"abc\0"
WEBP = riff((b"VP8X", b"\x12" + bytes(9)), (b"ANMF", FRAME), (b"VP8 ", b"pixels."))
DIRTY_WEBP = (
    riff(
        (b"VP8X", b"\x3e" + bytes(9)),
        (b"ICCP", SECRET),
        (b"ANMF", FRAME + b"junk" + struct.pack("<I", len(SECRET)) + SECRET + b"\0"),
        (b"VP8 ", b"pixels."),
        (b"EXIF", PLACE),
        (b"XMP ", SECRET),
        (b"odd!", SECRET),
    )
    + SECRET
)

CLEAN = [
    ("image/png", PNG),
    ("image/jpeg", JPEG),
    ("image/gif", GIF),
    ("image/webp", WEBP),
]


@pytest.mark.parametrize(("mime", "data"), CLEAN)
def test_a_plain_picture_stays_as_it_is(mime: str, data: bytes) -> None:
    assert clean(data) == (mime, data)


@pytest.mark.parametrize(
    ("dirty", "plain"),
    [
        (DIRTY_PNG, PNG),
        (dirty_jpeg(b"Exif\0\0" + PLACE), JPEG),
        (DIRTY_GIF, GIF),
        (DIRTY_WEBP, WEBP),
    ],
    ids=["png", "jpeg", "gif", "webp"],
)
def test_everything_else_is_taken_out(dirty: bytes, plain: bytes) -> None:
    _, found = clean(dirty)
    assert found == plain
    for word in (PLACE, SECRET, SECRET[:6], b"Photoshop", b"ICC"):
        assert word not in found


@pytest.mark.parametrize("order", [">", "<"])
@pytest.mark.parametrize("orientation", [2, 6, 8])
def test_which_side_is_up_is_kept(order: str, orientation: int) -> None:
    _, found = clean(dirty_jpeg(exif(orientation, order)))
    assert PLACE not in found
    start = found.index(b"Exif\0\0") + 6
    assert found[start : start + 10] == b"MM\0*\0\0\0\x08\0\x01"
    tag, kind, count, value = struct.unpack_from(">HHIH", found, start + 10)
    assert (tag, kind, count, value) == (0x0112, 3, 1, orientation)
    assert clean(found)[1] == found


@pytest.mark.parametrize("orientation", [0, 1, 9, 65_535])
def test_an_upright_picture_keeps_no_exif(orientation: int) -> None:
    assert clean(dirty_jpeg(exif(orientation)))[1] == JPEG


@pytest.mark.parametrize("data", [PNG, JPEG, GIF, WEBP], ids=["png", "jpeg", "gif", "webp"])
def test_a_picture_that_is_cut_short_is_refused(data: bytes) -> None:
    for length in range(4, len(data) - 1):
        with pytest.raises(WireError):
            clean(data[:length])


@given(st.binary(max_size=200))
def test_any_bytes_are_a_picture_or_refused(data: bytes) -> None:
    for start in (b"", PNG_HEAD, b"\xff\xd8\xff", b"GIF89a", b"RIFF\x40\0\0\0WEBP"):
        try:
            mime, found = clean(start + data)
        except WireError:
            continue
        assert clean(found) == (mime, found)


@given(st.sampled_from(CLEAN), st.data())
@settings(max_examples=300)
def test_a_damaged_picture_is_refused_or_clean(
    picture: tuple[str, bytes], data: st.DataObject
) -> None:
    damaged = bytearray(picture[1])
    place = data.draw(st.integers(0, len(damaged) - 1))
    damaged[place] ^= data.draw(st.integers(1, 255))
    try:
        _, found = clean(bytes(damaged))
    except WireError:
        return
    assert clean(found)[1] == found
