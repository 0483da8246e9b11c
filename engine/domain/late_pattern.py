"""Regular expressions that are compiled at their first use: most starts use few of them."""

from __future__ import annotations

import re
from functools import cached_property


class LatePattern:
    """A regular expression; `compiled` is ready from the first use on."""

    def __init__(self, source: str, flags: int = 0) -> None:
        self._source, self._flags = source, flags

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        """The compiled expression."""
        return re.compile(self._source, self._flags)
