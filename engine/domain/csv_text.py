"""Comma-separated values that a spreadsheet reads as numbers and text, never as formulas."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

from engine.domain.text import printable_name, visible

RFC_4180 = "\r\n"
"""The line end of files for other programs."""
_NUMBER = re.compile(r"[+-]?[\d.]+\Z")
# After any separator: a spreadsheet may split at another one than the comma. The blanks after a
# separator are none themselves, or a row of them would be read again from each.
_FORMULA = re.compile(
    r"""((?:\A|[,;:|"'\t\n\u2028])[^\S\t\n\u2028]*)(?=[=+@\uff1d\uff0b\uff0d\uff20-])"""
)


def csv_text(heads: Sequence[str], rows: Iterable[Sequence[str]], line_end: str = "\n") -> str:
    """Return the rows below their headings."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator=line_end)
    writer.writerows([as_text(printable_name(cell)) for cell in row] for row in (heads, *rows))
    return out.getvalue()


def as_text(cell: str) -> str:
    """Mark what a spreadsheet would take for a formula as text."""
    # Before it is looked at: printing removes what hides the beginning of a formula.
    cell = visible(cell)
    return cell if _NUMBER.match(cell) else _FORMULA.sub(r"\1'", cell)
