"""Where results of long work are kept between runs."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_folder"]


def cache_folder() -> Path:
    """``$TENON_CACHE``, else ``~/.cache/tenon``."""
    given = os.environ.get("TENON_CACHE")
    return Path(given) if given else Path.home() / ".cache" / "tenon"
