"""Keys of what has the focus come before the same keys of the screen and the program."""

from __future__ import annotations

from textual.binding import BindingsMap
from textual.dom import DOMNode


def is_own_key(node: DOMNode, bindings: BindingsMap, key: str) -> bool:
    """Return whether `key` is a command of `node` that can act now: then it does nothing else."""
    own = bindings.key_to_bindings.get(key, ())  # Textual's own bindings have no id
    return any(binding.id and node.check_action(binding.action, ()) for binding in own)
