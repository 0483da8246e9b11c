"""Questions and forms of the app-server as fields: whole and visible."""

from __future__ import annotations

from typing import Any, cast

import msgspec
from msgspec import Struct

from engine.agents.codex.interactive.bridge import forms
from engine.agents.codex.translation import TEXT_LIMIT
from engine.domain.input_fields import FieldKind, FieldOption, InputField
from engine.domain.interaction import INPUT_KINDS, RequestKind
from engine.domain.text import escaped, one_line, printable_name

_NAMES = {
    "minimum": "minimum",
    "maximum": "maximum",
    "minLength": "min_length",
    "maxLength": "max_length",
    "minItems": "min_items",
    "maxItems": "max_items",
}
_SHOWN = frozenset({"questions", "requestedSchema", "url", "mode", "serverName"})
_encode = msgspec.json.Encoder(order="sorted").encode


class ShownForm(Struct, frozen=True):
    """The values that a request asks for; empty for one that is to be approved."""

    fields: tuple[InputField, ...] = ()
    text: str = ""
    """The subject on one line."""
    message: str = ""
    url: str | None = None
    shown: frozenset[str] = frozenset()
    """The parameters that are shown by the fields."""
    rest: dict[str, Any] = {}
    """Keywords of the fields that they do not show."""
    is_cut: bool = False
    server: str | None = None
    """The MCP server that gets the answer."""


def form_of(kind: RequestKind, method: str, params: dict[str, Any]) -> ShownForm:
    """Return the fields of a request for values."""
    asked = forms.fields_of(method, params) if kind in INPUT_KINDS else None
    if asked is None:
        return ShownForm()
    fields = tuple(_field(one) for one in asked)
    message = escaped(str(params.get("message") or ""))
    url = params.get("url") if kind is RequestKind.FORM else None
    url = printable_name(url) if isinstance(url, str) else None
    server = params.get("serverName")
    server = printable_name(server) if isinstance(server, str) else None
    return ShownForm(
        fields,
        _summary(kind, fields, params, message, url),
        message,
        url,
        _SHOWN,
        {one.name: one.rest for one in asked if one.rest},
        len(_encode(fields)) + len(url or "") + len(server or "") > TEXT_LIMIT,
        server,
    )


def _summary(
    kind: RequestKind,
    fields: tuple[InputField, ...],
    params: dict[str, Any],
    message: str,
    url: str | None,
) -> str:
    if fields and kind is RequestKind.QUESTION:
        first, *rest = fields
        return one_line(first.text or first.name) + (f" (1 of {len(fields)})" if rest else "")
    server = str(params.get("serverName") or "?")
    return one_line(f"{server}: {one_line(url or message) or 'a form'}")


def _field(asked: forms.Field) -> InputField:
    limits: dict[str, Any] = {
        _NAMES[key]: value for key, value in asked.limits.items() if key in _NAMES
    }
    return InputField(
        asked.name,
        FieldKind(asked.kind),
        escaped(asked.title),
        escaped(asked.text),
        tuple(_option(one) for one in asked.options),
        asked.is_required,
        asked.is_secret,
        asked.is_list,
        asked.allows_other,
        printable_name(str(asked.limits.get("format", ""))),
        _default(asked.default),
        **limits,
    )


def _option(option: forms.Option) -> FieldOption:
    return FieldOption(printable_name(option.value), escaped(option.title), escaped(option.text))


def _default(value: object) -> str:
    """Return a default as it would be typed."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(map(_default, cast("list[object]", value)))
    return escaped(value if isinstance(value, str) else _encode(value).decode())
