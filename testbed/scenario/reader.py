"""From a TOML table to frozen dataclasses: every field is a key, its type hint says what may stand there.

One recursive reader for all of them: a scenario is described by its dataclasses alone.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from testbed.errors import ScenarioError
from testbed.scenario.limits import ANY_NUMBER, BelongsTo, Rule
from testbed.scenario.units import meant_key, unit_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Made = TypeVar("Made", bound=DataclassInstance)

__all__ = ["Place", "read"]

_WORDS = {float: "a number", int: "a whole number", bool: "true or false", str: "a text in quotes"}
_PLURALS = {float: "numbers", int: "whole numbers", bool: "true or false values", str: "texts in quotes"}


@dataclass(frozen=True)
class Place:
    """Where in which file a value stands.

    Attributes:
        file: The file's name.
        key: The path of keys to it, empty for the whole file.
    """

    file: str
    key: str = ""

    def at(self, key: str) -> Place:
        """Return the place of a key in the table that stands here."""
        return Place(self.file, f"{self.key}.{key}" if self.key else key)

    def item(self, index: int, items: list[Any]) -> Place:
        """Return the place of one item of the list that stands here: by its name, or counted from 1."""
        name = items[index].get("name") if isinstance(items[index], dict) else None
        return Place(
            self.file, self.key + (f' "{name}"' if isinstance(name, str) else f"[{index + 1} of {len(items)}]")
        )

    def error(self, problem: str) -> ScenarioError:
        """Return the error that says what is wrong here."""
        return ScenarioError(f"{self.file}: {self.key} {problem}")


def read(kind: type[Made], table: Mapping[str, object], place: Place, given: Mapping[str, object]) -> Made:
    """Make a dataclass from a table.

    Args:
        kind: The dataclass; fields without default are required keys.
        table: Keys and values as TOML has them.
        place: Where the table stands.
        given: Values of fields that are not keys.

    Raises:
        ScenarioError: An unknown or missing key, a value of the wrong type or out of its limits.
    """
    hints = get_type_hints(kind, include_extras=True)
    known = [field.name for field in fields(kind) if field.name not in given]
    for key in table:
        if key not in known:
            raise _unknown(key, known, place)
    values = dict(given)
    for field in fields(kind):
        if field.name in table:
            values[field.name] = _value(hints[field.name], table[field.name], place.at(field.name))
        elif field.name not in given and field.default is MISSING and field.default_factory is MISSING:
            raise place.at(field.name).error(f"is missing; it must be {_description(hints[field.name], field.name)}")
    made = kind(**values)
    _refuse_keys_of_another_kind(made, table, hints, place)
    return made


def _value(hint: Any, value: Any, place: Place) -> object:
    kind, rules = _taken_apart(hint)
    if is_dataclass(kind) and isinstance(kind, type) and isinstance(value, dict):
        return read(kind, value, place, {})
    if get_origin(kind) is tuple and isinstance(value, list):
        return _items(hint, value, place)
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise _refused(hint, value, place)
    for rule in rules or ([ANY_NUMBER] if kind is float else []):
        if not rule.allows(value):
            raise _refused(hint, value, place, rule.hint(value))
    return value


def _items(hint: Any, values: list[Any], place: Place) -> tuple[object, ...]:
    kinds = get_args(_taken_apart(hint)[0])
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(values)
    if len(values) != len(kinds):
        raise _refused(hint, values, place)
    return tuple(
        _value(kind, value, place.item(i, values)) for i, (kind, value) in enumerate(zip(kinds, values, strict=True))
    )


def _taken_apart(hint: Any) -> tuple[Any, list[Rule]]:
    """Return the bare type of a hint and the rules written beside it; a value that is there is never None."""
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(arg for arg in get_args(hint) if arg is not types.NoneType)
    if get_origin(hint) is not Annotated:
        return hint, []
    kind, *marks = get_args(hint)
    return kind, [mark for mark in marks if not isinstance(mark, BelongsTo)]


def _description(hint: Any, key: str) -> str:
    kind, rules = _taken_apart(hint)
    unit = f" (in {unit_of(key)})" if unit_of(key) else ""
    if get_origin(kind) is tuple:
        first, *others = get_args(kind)
        bare, inner = _taken_apart(first)
        if Ellipsis in others:
            return f"one or more tables [[{key}]]"
        return " ".join([f"a list of {len(others) + 1} {_PLURALS[bare]}", *map(str, inner)]) + unit
    if kind is str and rules:
        return str(rules[0])
    return " ".join([_WORDS.get(kind, f"a table [{key}]"), *map(str, rules)]) + unit


def _refused(hint: Any, value: object, place: Place, meant: Sequence[str] = ()) -> ScenarioError:
    key = place.key.rpartition(".")[2].partition("[")[0]
    shown = str(value).lower() if isinstance(value, bool) else repr(value)
    return place.error("; ".join([f"= {shown}", f"it must be {_description(hint, key)}", *meant]))


def _unknown(key: str, known: list[str], place: Place) -> ScenarioError:
    meant = meant_key(key, known)
    if meant is None:
        return place.at(key).error(f"is not a key; allowed here: {', '.join(known)}")
    return place.at(key).error(
        f"is not a key; did you mean {meant}" + (f", in {unit_of(meant)}?" if unit_of(meant) else "?")
    )


def _refuse_keys_of_another_kind(
    made: DataclassInstance, table: Mapping[str, object], hints: dict[str, Any], place: Place
) -> None:
    for key in table:
        for mark in get_args(hints[key]):
            if isinstance(mark, BelongsTo) and getattr(made, mark.key) != mark.value:
                chosen = getattr(made, mark.key)
                raise place.at(key).error(
                    f"belongs to {mark.key} {mark.value}, but {mark.key} is {chosen}; change one of the two"
                )
