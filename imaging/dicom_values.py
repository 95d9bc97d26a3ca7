"""Values from a DICOM header that may be missing, malformed or of the wrong kind."""

from __future__ import annotations

import math
import re
from typing import Any

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

MAX_TEXT = 256
_ESCAPE_SEQUENCE = re.compile(r"\x1b[ -/]*[0-~]")  # of ISO 2022, where pydicom leaves one


def value(header: Dataset, keyword: str) -> Any:
    """The tag's value, or None where it is absent, empty or cannot be interpreted."""
    try:
        found = header.get(keyword)
    except (MemoryError, RecursionError):
        raise
    except Exception:  # a malformed value raises whatever its converter raises
        return None
    return None if found is None or (isinstance(found, str | bytes | MultiValue) and not len(found)) else found


def text(header: Dataset, keyword: str) -> str:
    """The tag as one line of text, "" where there is none; only the first of several values."""
    found = value(header, keyword)
    if isinstance(found, MultiValue | list | tuple):
        found = found[0]
    if found is None or isinstance(found, bytes):
        return ""
    try:
        line = str(found)
    except Exception:  # names decode only now
        return ""
    line = _ESCAPE_SEQUENCE.sub("", line)
    return "".join(sign for sign in line if sign.isprintable()).strip()[:MAX_TEXT]


def is_given(header: Dataset, keyword: str) -> bool:
    """True where the tag has a value, whether it can be interpreted or not."""
    return value(header, keyword) is not None or bool(_as_written(header, keyword))


def numbers(header: Dataset, keyword: str) -> tuple[float, ...]:
    """The tag's values as finite numbers; empty where there are none or one of them is not a number.

    Written with a decimal comma, or as a text of any other kind, they are numbers all the same.
    """
    found = value(header, keyword)
    if found is None or isinstance(found, bytes):
        found = _as_written(header, keyword)
    values = list(found) if isinstance(found, MultiValue | list | tuple) else [found]
    try:
        result = tuple(
            float(part)
            for entry in values
            for part in (entry.replace(",", ".").rstrip("\0 ").split("\\") if isinstance(entry, str) else [entry])
        )
    except (TypeError, ValueError, OverflowError):
        return ()
    return result if all(math.isfinite(entry) for entry in result) else ()


def _as_written(header: Dataset, keyword: str) -> str:
    """The bytes of a short tag as text, for values that pydicom cannot convert; "" where there are none."""
    try:
        found = getattr(header.get_item(keyword), "value", None)
    except (MemoryError, RecursionError):
        raise
    except Exception:
        return ""
    if not isinstance(found, bytes) or len(found) > MAX_TEXT or not found.isascii():
        return ""
    return found.decode("ascii").strip("\0 ")


def integer(header: Dataset, keyword: str) -> int | None:
    """The tag's first value as a whole number, or None."""
    found = numbers(header, keyword)
    return int(found[0]) if found and found[0] == int(found[0]) else None


def items(header: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence; empty where there are none."""
    found = value(header, keyword)
    try:
        return [item for item in found if isinstance(item, Dataset)] if found is not None else []
    except (MemoryError, RecursionError):
        raise
    except Exception:
        return []
