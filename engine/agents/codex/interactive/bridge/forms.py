"""Questions and forms: what they ask for, and the result that carries their answer.

A request that has an unknown form is not answerable: its values could not be checked. The record
of an answer has a list of values for each field, in the order of the request. A value is the
index of an option or a literal, so that no name of the request is repeated by anyone.
"""

from __future__ import annotations

from .json_values import Json, as_dict

QUESTION = "item/tool/requestUserInput"
ELICITATION = "mcpServer/elicitation/request"
FIELDS, OPTIONS, NAME = 100, 500, 200
_TITLES = {"title", "description", "default", "type"}
_SCALARS = {
    "string": {"minLength", "maxLength", "format"},
    "integer": {"minimum", "maximum"},
    "number": {"minimum", "maximum"},
    "boolean": set[str](),
}


class Unanswerable(Exception):
    """The request has no form that is known here."""


class Option:
    """An option: its value, and the texts that explain it."""

    def __init__(self, value: object, title: object = "", text: object = "") -> None:
        self.value, self.title, self.text = _text(value), _text(title), _text(text)


class Field:
    """A question, or a field of a form; `kind` is text, integer, number, boolean or choice."""

    def __init__(self, name: str, kind: str) -> None:
        if not name or len(name) > NAME or not name.isprintable():
            raise Unanswerable("a field without a plain name")
        self.name, self.kind = name, kind
        self.title = self.text = ""
        self.options: list[Option] = []
        self.is_required = self.is_secret = self.is_list = self.allows_other = False
        self.limits: dict[str, object] = {}
        self.default: object = None
        self.rest: Json = {}
        """Keywords that are not checked: the server of the form checks them."""


def fields_of(method: str, params: Json) -> list[Field] | None:
    """Return the fields of a question or of a form; None for one that cannot be answered."""
    try:
        if method == QUESTION:
            return _unique([_question(as_dict(one)) for one in _list(params.get("questions"), 1)])
        if method == ELICITATION and isinstance(params.get("message"), str):
            return _form(params)
    except Unanswerable:
        pass
    return None


def result(method: str, fields: list[Field], values: object, secrets: object) -> Json | None:
    """Return the result with the values of each field; None where they do not fit the fields.

    `secrets` are the values that another record has.
    """
    try:
        found = [
            _values(field, public) + _values(field, secret)
            for field, public, secret in zip(
                fields, _rows(values, fields), _rows(secrets, fields), strict=True
            )
        ]
    except Unanswerable:
        return None
    pairs = [(field, chosen) for field, chosen in zip(fields, found, strict=True) if chosen]
    if method == QUESTION:
        return {"answers": {field.name: {"answers": chosen} for field, chosen in pairs}}
    content = {field.name: chosen if field.is_list else chosen[0] for field, chosen in pairs}
    return {"action": "accept", "content": content, "_meta": None}


def refusal(method: str, *, is_stop: bool) -> Json:
    """Return the result that declines."""
    if method == QUESTION:
        return {"answers": {}}
    return {"action": "cancel" if is_stop else "decline", "content": None, "_meta": None}


def _question(asked: Json) -> Field:
    field = Field(_text(asked.get("id")), "text")
    field.title, field.text = _text(asked.get("header", "")), _text(asked.get("question"))
    field.is_required = field.is_list = True
    field.is_secret = _flag(asked, "isSecret")
    if asked.get("options") is not None:
        listed = map(as_dict, _list(asked["options"]))
        options = [Option(one.get("label"), "", one.get("description") or "") for one in listed]
        _offer(field, options)
        field.allows_other = _flag(asked, "isOther")
    return field


def _form(params: Json) -> list[Field]:
    if params.get("mode") == "url":
        if not _text(params.get("url")):
            raise Unanswerable("no address")
        return []
    if params.get("mode") != "form":
        raise Unanswerable("an unknown mode")
    schema = as_dict(params.get("requestedSchema"))
    if schema.get("type") != "object" or not isinstance(schema.get("properties"), dict):
        raise Unanswerable("no schema of an object")
    properties = as_dict(schema["properties"])
    if len(properties) > FIELDS:
        raise Unanswerable("too many fields")
    fields = [_property(name, as_dict(one)) for name, one in properties.items()]
    required = [_text(name) for name in _list(schema.get("required") or [])]
    if not set(required) <= {field.name for field in fields}:
        raise Unanswerable("a required field that does not exist")
    for field in fields:
        field.is_required = field.name in required
    return _unique(fields)


def _property(name: str, schema: Json) -> Field:
    kind = schema.get("type")
    used = set(_TITLES)
    if kind == "array":
        field = Field(name, "choice")
        field.is_list = True
        _offer(field, _options(as_dict(schema.get("items"))))
        used |= {"items", "minItems", "maxItems"}
        limits = ("minItems", "maxItems")
    elif kind == "string" and schema.keys() & {"enum", "oneOf"}:
        field = Field(name, "choice")
        _offer(field, _options(schema))
        used |= {"enum", "enumNames", "oneOf"}
        limits = ()
    elif isinstance(kind, str) and kind in _SCALARS:
        field = Field(name, {"string": "text"}.get(kind, kind))
        used |= _SCALARS[kind]
        limits = ("minLength", "maxLength", "minimum", "maximum")
    else:
        raise Unanswerable("an unknown type")
    field.limits = {key: _limit(schema[key]) for key in limits if schema.get(key) is not None}
    if schema.get("format") is not None and "format" in used:
        field.limits["format"] = _text(schema["format"])
    field.title, field.text = _text(schema.get("title") or ""), _text(schema.get("description", ""))
    field.default = schema.get("default")
    field.rest = {key: value for key, value in schema.items() if key not in used}
    return field


def _options(schema: Json) -> list[Option]:
    """Return the options of a string: `enum`, or `oneOf` and `anyOf` with their titles."""
    if schema.get("enum") is not None:
        values = _list(schema["enum"], 1)
        names = _list(schema.get("enumNames") or [])
        titles = [*names, *[""] * len(values)]
        return [Option(value, title) for value, title in zip(values, titles, strict=False)]
    listed = map(as_dict, _list(schema.get("oneOf") or schema.get("anyOf"), 1))
    return [Option(one.get("const"), one.get("title") or "") for one in listed]


def _offer(field: Field, options: list[Option]) -> None:
    values = [one.value for one in options]
    if len(values) > OPTIONS or len(set(values)) < len(values) or not all(values):
        raise Unanswerable("options that are not distinct")
    field.options = options
    field.kind = "choice" if options else field.kind


def _unique(fields: list[Field]) -> list[Field]:
    if len(fields) > FIELDS or len({field.name for field in fields}) < len(fields):
        raise Unanswerable("fields that are not distinct")
    return fields


def _rows(values: object, fields: list[Field]) -> list[list[object]]:
    none: list[object] = []
    rows: list[object] = [none for _ in fields] if values is None else _list(values)
    if len(rows) != len(fields):
        raise Unanswerable("values of other fields")
    return [_list(row) for row in rows]


def _values(field: Field, row: list[object]) -> list[object]:
    if len(row) > 1 and not field.is_list:
        raise Unanswerable("one value only")
    return [_literal(field, value) for value in row]


_KINDS = {"text": str, "integer": int, "number": (int, float), "boolean": bool}


def _literal(field: Field, value: object) -> object:
    if field.kind == "choice" and isinstance(value, int) and not isinstance(value, bool):
        if not 0 <= value < len(field.options):
            raise Unanswerable("no such option")
        return field.options[value].value
    if field.kind == "choice" and not field.allows_other:
        raise Unanswerable("not an option")
    wanted = _KINDS.get(field.kind, str)
    if not isinstance(value, wanted) or (isinstance(value, bool) and field.kind != "boolean"):
        raise Unanswerable("another type")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Unanswerable("no text")
    return value


def _flag(asked: Json, name: str) -> bool:
    value = asked.get(name, False)
    if not isinstance(value, bool):
        raise Unanswerable("neither true nor false")
    return value


def _limit(value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unanswerable("an invalid limit")
    return value


def _list(value: object, least: int = 0) -> list[object]:
    if not isinstance(value, list) or len(value) < least:  # pyright: ignore[reportUnknownArgumentType]  # of any values
        raise Unanswerable("no list")
    return value  # pyright: ignore[reportUnknownVariableType]  # of any values
