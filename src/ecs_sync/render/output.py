"""Writing a document: as JSON, or as a page of text or Markdown."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from ecs_sync.render.escape import dumps
from ecs_sync.render.format import Format
from ecs_sync.render.page import Paint, Part, as_markdown, as_text, plain


def write(document: Any, page: Iterable[Part], format: Format, paint: Paint = plain) -> str:
    """The document in a format; ``page`` is its layout."""
    match format:
        case Format.JSON:
            return dumps(dataclasses.asdict(document))
        case Format.MARKDOWN:
            return as_markdown(tuple(page))
        case Format.TEXT:
            return as_text(tuple(page), paint)
