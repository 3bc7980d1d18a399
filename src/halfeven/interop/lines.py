"""Errors in one line, whatever the names in a file hold."""

from __future__ import annotations

from halfeven.errors import ModelError

LONGEST_REASON = 300
LONGEST_LINE = 600


def one_line(text: object, longest: int = LONGEST_REASON) -> str:
    """The text with white space collapsed, control characters spelled out, and cut where it runs on."""
    words = " ".join(str(text).split())
    plain = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in words)
    return plain if len(plain) <= longest else plain[: longest - 3] + "..."


def model_error(message: str, *, source: str | None = None, node: str | None = None) -> ModelError:
    """A ModelError whose message is one line even where names are not."""
    return ModelError(one_line(message, LONGEST_LINE), source=source, node=node)
