"""Layers that a model holds in several places: which descriptions in a file are one layer.

Keras gives an object an id in the file once it is written for the second time, and its first description often lacks
it, since a copy of that was taken before. So an id that is new refers to an earlier description that says the same.
"""

from __future__ import annotations

import json
from typing import Any

ID = "shared_object_id"
Item = dict[str, Any]


class Sharing:
    """The descriptions of one file so far."""

    def __init__(self) -> None:
        self._seen: list[tuple[Item, Item]] = []
        self._known: set[int] = set()

    def note(self, item: Item, described: Item) -> None:
        """Take the next layer.

        Args:
            item: as the file has it.
            described: its description, which gets the id, as does that of the earlier one.
        """
        identity = item.get(ID)
        if isinstance(identity, int) and not isinstance(identity, bool):
            described[ID] = identity
            if identity not in self._known:
                self._known.add(identity)
                self._find_first(item, described, identity)
        self._seen.append((item, described))

    def _find_first(self, item: Item, described: Item, identity: int) -> None:
        named = [one for one in self._seen if one[0].get("class_name") == item.get("class_name")]
        named = [one for one in named if one[1].get("name") == described.get("name") and ID not in one[1]]
        if not named:
            return
        wanted = _text(item.get("config"))
        equal = [one for one in named if _text(one[0].get("config")) == wanted]
        if len(equal) == 1:
            equal[0][1][ID] = identity


def _text(value: Any) -> str:
    return json.dumps(_without_ids(value), sort_keys=True)


def _without_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_ids(item) for key, item in value.items() if key not in (ID, "build_config")}
    return [_without_ids(item) for item in value] if isinstance(value, list) else value
