"""Google's messages of Secret Manager, without what some versions of its package say to a terminal."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    # google-api-core tells at import which Python it will stop to support, and when.
    warnings.simplefilter("ignore", FutureWarning)
    from google.cloud.secretmanager_v1 import types

__all__ = ["types"]
