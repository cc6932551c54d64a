"""Nothing that is sent is printed."""

from __future__ import annotations

import urllib3.connection


def hush() -> None:
    """Keeps urllib3 from printing what it sends: bodies, values in them, and tokens.

    ``http.client.HTTPConnection.debuglevel`` is a switch for a whole process, and its output goes to
    standard output, past all logging. The class of urllib3's connections, on which requests and botocore
    stand, gets a level of its own, which that switch does not reach.
    """
    urllib3.connection.HTTPConnection.debuglevel = 0
