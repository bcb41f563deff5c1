"""Reads the files that a user gives with a question: texts and pictures, nothing else.

A text is taken when it is UTF-8, or says by its first bytes that it is UTF-16 or UTF-32. A picture
loses everything but the picture (`pictures`). Of a file's name the last part is kept. Pure.
"""

from __future__ import annotations

import base64
import binascii
import codecs
from collections.abc import Sequence

from engine.control.protocol.asking import Attachment
from engine.errors import Peer2PromptError, WireError
from engine.session.files.pictures import clean
from wallet.store import Enclosed

MAX_FILES = 8
MAX_TEXT_BYTES = 256 * 1024
MAX_PICTURE_BYTES = 512 * 1024
MAX_ALL_BYTES = 640 * 1024
"""As base64, beside a long question, it stays under the 1,000,000 bytes of the protocol."""
MAX_NAME = 120
PICTURE_NAMES = (".png", ".jpg", ".jpeg", ".gif", ".webp")
TEXT = "text/plain"
_MARKED = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class BadAttachment(Peer2PromptError):
    """A file cannot go with a question. Nothing was sent or stored."""

    code = "attachment"
    exit_code = 2


def read_files(given: Sequence[Attachment]) -> list[Enclosed]:
    """The files as they are kept and sent. Raises BadAttachment with the file's name and why."""
    if len(given) > MAX_FILES:
        raise _bad(f"More than {MAX_FILES} files are too many for one question")
    files = [_read(name_of(one.name), one) for one in given]
    if sum(len(file.data) for file in files) > MAX_ALL_BYTES:
        raise _bad(f"The files together are larger than {MAX_ALL_BYTES // 1024} KiB")
    return files


def is_picture(file: Enclosed) -> bool:
    return file.mime.startswith("image/")


def name_of(path: str) -> str:
    """The last part of a path, fit to be shown and sent: where a file lay is nobody's business."""
    last = path.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    shown = "".join(c if c.isprintable() else "_" for c in last).strip()
    return shown[-MAX_NAME:] or "file"


def _read(name: str, given: Attachment) -> Enclosed:
    try:
        data = base64.b64decode(given.data, validate=True)
    except (binascii.Error, ValueError):
        raise _bad(f"The file {name} was not handed over whole") from None
    if not data:
        raise _bad(f"The file {name} is empty")
    pictured = given.mime.startswith("image/") or name.lower().endswith(PICTURE_NAMES)
    return _picture(name, data) if pictured else _text(name, data)


def _picture(name: str, data: bytes) -> Enclosed:
    if len(data) > MAX_PICTURE_BYTES:
        limit = MAX_PICTURE_BYTES // 1024
        raise _bad(f"The picture {name} is larger than {limit} KiB", "Make it smaller first.")
    try:
        mime, cleaned = clean(data)
    except WireError as error:
        raise _bad(f"The file {name} cannot be sent: {_lower(error.message)}") from error
    gone = len(data) - len(cleaned)
    note = f"{gone} bytes that are not the picture were taken out" if gone else ""
    return Enclosed(name, mime, cleaned, note)


def _text(name: str, data: bytes) -> Enclosed:
    if len(data) > MAX_TEXT_BYTES:
        limit = MAX_TEXT_BYTES // 1024
        raise _bad(f"The file {name} is larger than {limit} KiB", "Send the part that matters.")
    encoding = next((name for mark, name in _MARKED if data.startswith(mark)), "utf-8-sig")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        raise _bad(
            f"The file {name} is neither a picture nor a text in UTF-8",
            "Save a text as UTF-8; a picture as PNG, JPEG, GIF or WebP.",
        ) from None
    if "\0" in text:
        raise _bad(f"The file {name} is no text: it holds zero bytes")
    note = f"read as {encoding.upper()}" if encoding != "utf-8-sig" else ""
    return Enclosed(name, TEXT, text.encode("utf-8"), note)


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].rstrip(".")


def _bad(what: str, hint: str = "Leave it out, or send another one.") -> BadAttachment:
    return BadAttachment(f"{what}.", kept="Nothing was sent and nothing was paid.", hint=hint)
