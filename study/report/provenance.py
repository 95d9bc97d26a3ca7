"""Where the numbers of a report come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version


@dataclass(frozen=True)
class Provenance:
    """Where the numbers come from."""

    file: str
    sha256: str
    app_version: str = ""
    created_utc: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    record_heads: tuple[str, ...] = ()  # of a record: the last event of each chain
    record_problems: tuple[str, ...] = ()

    @property
    def versions(self) -> dict[str, str]:
        """This program and the libraries that compute."""
        held = {"Lucency": self.app_version} if self.app_version else {}
        for name in ("numpy", "scipy", "statsmodels"):
            try:
                held[name] = version(name)
            except PackageNotFoundError:  # a frozen program need not carry it
                continue
        return held
