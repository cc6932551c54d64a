"""What options say of the way to a server: its address, a proxy, and who vouches for certificates."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import SplitResult, quote, urlsplit


def proxy_address(proxy: str, login: str | None) -> str:
    """The proxy with the login in it, and so never to be shown."""
    if login is None:
        return proxy
    word = ":".join(quote(part, safe="") for part in login.split(":", 1))
    scheme, _, host = proxy.partition("://")
    return f"{scheme}://{word}@{host}"


def proxy_problems(proxy: str | None, login: str | None, *schemes: str) -> Iterator[str]:
    """All that is wrong with the options ``proxy`` and ``proxy_login``. Neither is quoted.

    ``schemes`` are those that the transport knows of a proxy's address: ``http`` where none is named.
    """
    if login is not None and proxy is None:
        yield "proxy_login goes with proxy"
    if login is not None and not re.fullmatch(r"[ -9;-~]+:[ -~]*", login):
        yield "proxy_login is not user:password, in ASCII"
    if proxy is None:
        return
    if url_parts(proxy).username is not None:
        yield "proxy holds a user name: give it with the password as proxy_login"
    elif bare_address(proxy, *(schemes or ("http",))) is None:
        yield "proxy is not written like http://proxy.example:3128"


def authority_problems(ca_file: Path) -> Iterator[str]:
    """What is wrong with a file of authorities, in a sentence."""
    try:
        ssl.create_default_context(cafile=ca_file)
    except (OSError, ValueError) as error:
        yield f"ca_file {ca_file} holds no certificate that can be read ({type(error).__name__})"


def bare_address(url: str, *schemes: str) -> SplitResult | None:
    """The parts of scheme, host and perhaps a port; None where it is none of these, or more."""
    parts = url_parts(url)
    bare = parts.path in ("", "/") and "@" not in parts.netloc and not re.search(r"[?#]", url)
    return parts if parts.scheme in schemes and bare else None


def url_parts(url: str) -> SplitResult:
    """The parts of a URL; empty ones of what is none, such as one with a blank or a port that cannot be."""
    if not re.fullmatch(r"[\x21-\x7e]+", url):
        return urlsplit("")  # urlsplit leaves out line breaks, and so would speak of another address
    try:
        parts = urlsplit(url)
        possible = parts.port != 0 and re.fullmatch(_HOST, parts.hostname or "")
    except ValueError:
        return urlsplit("")
    return parts if possible else urlsplit("")


_HOST = r"[\w-]{1,63}(\.[\w-]{1,63})*\.?|[0-9a-f:.]*:[0-9a-f:.]*"
