"""Environment variables by which a program loads code before its own, and which of them are safe.

An agent can write the file that such a variable names, such as a `sitecustomize.py` in a folder on
`PYTHONPATH`. A program that works for us outside the sandbox must not load it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping

_LISTS = frozenset(
    {
        *("PYTHONPATH", "NODE_PATH", "PERL5LIB", "PERLLIB", "RUBYLIB", "CLASSPATH"),
        *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"),
        *("DYLD_FRAMEWORK_PATH", "GCONV_PATH", "LUA_PATH", "LUA_CPATH", "GEM_PATH", "FPATH"),
    }
)
"""Lists of folders or files: an unsafe entry is left out."""
_PRELOADS = frozenset({"LD_PRELOAD", "LD_AUDIT", "DYLD_INSERT_LIBRARIES"})
"""Lists of libraries: a plain name is looked up where the system keeps its libraries."""
_FILES = frozenset(
    {
        *("PYTHONHOME", "PYTHONUSERBASE", "PYTHONPYCACHEPREFIX", "PYTHONSTARTUP"),
        *("BASH_ENV", "ENV", "ZDOTDIR", "GEM_HOME", "BUNDLE_GEMFILE", "GNUPGHOME"),
        *("OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES", "GIO_EXTRA_MODULES"),
        *("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"),
    }
)
"""Names of one file or folder."""
_COMMANDS = frozenset(
    {
        *("NODE_OPTIONS", "BUN_OPTIONS", "PERL5OPT", "PERL5DB", "RUBYOPT"),
        *("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS"),
        *("GIT_SSH", "GIT_SSH_COMMAND", "GIT_ASKPASS", "SSH_ASKPASS", "GIT_PROXY_COMMAND"),
    }
)
"""Command lines or options of one: unsafe if a word of them is."""
_NEVER = frozenset({"PERL_USE_UNSAFE_INC"})
"""Variables that let a program load code from the current folder."""
_LOADS = re.compile(r"-(?:r|I|M.*=)|--?[\w-]*(?:require|import|loader|include|agent)[\w-]*[=:]?")
"""Options whose value names code; a plain name would be looked up near the current folder."""
_OPTION = re.compile(r"(-(?:[rI]|M[^=]*=)|--?[\w-]+[=:]?)(.*)", re.DOTALL)

Written = Callable[[str], bool]
"""Return whether an agent can have written what lies at an absolute path."""


def unsafe_variables(env: Mapping[str, str], is_written: Written) -> dict[str, str | None]:
    """Return a safe value for each variable that names code of an agent, or None for none."""
    found: dict[str, str | None] = {}
    for name, value in env.items():
        if (safe := _safe(name, value, is_written)) != value:
            found[name] = safe or None
    return found


def without_unsafe(env: Mapping[str, str], is_written: Written) -> dict[str, str]:
    """Return an environment that loads no code of an agent into a program."""
    changes = unsafe_variables(env, is_written)
    kept = {name: changes.get(name, value) for name, value in env.items()}
    return {name: value for name, value in kept.items() if value is not None}


def _safe(name: str, value: str, is_written: Written) -> str:
    if name in _LISTS:
        entries = value.split(os.pathsep)
        return os.pathsep.join(one for one in entries if _is_safe_path(one, is_written))
    if name in _PRELOADS:
        words = re.split(r"[\s:]+", value)
        is_safe = all("/" not in one or _is_safe_path(one, is_written) for one in words)
    elif name in _FILES:
        is_safe = not value or _is_safe_path(value, is_written)
    elif name in _COMMANDS:
        is_safe = _is_safe_command(value, is_written)
    else:
        is_safe = name not in _NEVER
    return value if is_safe else ""


def _is_safe_path(path: str, is_written: Written) -> bool:
    path = os.path.expanduser(path)  # noqa: PTH111  may be any text
    return path.startswith("/") and not is_written(path)


def _is_safe_command(text: str, is_written: Written) -> bool:
    loads = False
    for word in re.split(r"[\s'\"]+", text):
        option = _OPTION.fullmatch(word)
        flag, value = (option[1], option[2]) if option else ("", word)
        names_code = loads or bool(_LOADS.fullmatch(flag))
        loads = names_code and option is not None and not value
        path = value.removeprefix("file://")
        is_path = "/" in path or path.startswith(("~", "."))
        if path and (is_path or names_code) and not _is_safe_path(path, is_written):
            return False
    return True
