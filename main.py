"""Lucency: a reading assistant for total hip replacements. Arguments, logging, wiring."""

from __future__ import annotations

import sys


def main() -> int:
    return 0


if __name__ == "__main__":
    sys.exit(main())
