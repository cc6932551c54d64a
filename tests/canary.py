"""A secret that no other text is like, and a search for all the forms in which it could leak."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterable, Iterator


def new_canary() -> str:
    """With what JSON, URLs and shells must escape in front, and random digits behind it."""
    return 'can"ary/ä ' + secrets.token_hex(16)


def spellings(canary: str) -> Iterator[bytes]:
    """Each half in clear, backwards, in hexadecimal, UTF-16, UTF-32 and base64, and escaped letter by letter.

    Whatever spells the whole spells a half somewhere in it: what JSON, URLs and shells escape stands in
    front of both. Base64 is looked for at any offset, and in lines of any length it leaves one half whole.
    """
    tail = canary[10:]
    for half in (tail[:16], tail[-16:]):
        raw = half.encode()
        wide = [half.encode(name) for name in ("utf-16-le", "utf-16-be", "utf-32-le")]
        yield from (raw, raw[::-1], *wide)
        yield from (raw.hex().encode(), raw.hex().upper().encode(), raw.hex()[::-1].encode())
        yield from (_escaped(half, "%{:02X}"), _escaped(half, "\\u{:04x}"), _escaped(half, "\\x{:02x}"))
        for text in (raw, raw[::-1], raw.hex().encode(), wide[0]):
            yield from _base64(text)


def digests(text: str) -> Iterator[bytes]:
    """What a search by dictionary would look for: the text hashed by nothing but itself."""
    raw = text.encode()
    kinds = [hashlib.new(name, raw).digest() for name in ("md5", "sha1", "sha256", "sha512", "sha3_256")]
    kinds += [hashlib.blake2b(raw, digest_size=size).digest() for size in (8, 16, 20, 32, 64)]
    for digest in kinds:
        # A cut digest is guessed as easily as a whole one.
        yield from (digest[:8], digest.hex()[:16].encode(), base64.b64encode(digest[:9]))


def found_in(canary: str, *texts: bytes | str) -> list[bytes]:
    """The forms of the canary that stand in any of these texts."""
    return hits(spellings(canary), *texts)


def hits(wanted: Iterable[bytes], *texts: bytes | str) -> list[bytes]:
    """Those of ``wanted`` that stand in any of these texts."""
    contents = [text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text for text in texts]
    return [one for one in wanted for content in contents if one in content]


def _escaped(text: str, form: str) -> bytes:
    return "".join(form.format(ord(letter)) for letter in text).encode()


def _base64(raw: bytes) -> Iterator[bytes]:
    """The middle of its base64 text, which is the same whatever stands before and behind it."""
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + raw)[4:-4]
        yield text
        yield text.translate(bytes.maketrans(b"+/", b"-_"))
