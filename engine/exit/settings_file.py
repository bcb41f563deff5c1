"""Changes of [ghost] in config.toml that leave everything else as its owner wrote it.

The new file is checked whole before it takes the old one's place, in one step; comments, order and
foreign keys stay. A file that cannot be read or would not be valid is left alone.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Table

from engine.errors import ConfigError

Edit = Callable[[tomlkit.TOMLDocument], None]


def rewrite(path: Path, edit: Edit, check: Callable[[Mapping[str, Any]], Any]) -> str:
    """Edit the file; returns the new text. `check` gets it as plain values and raises ConfigError
    for what does not fit. Raises ConfigError; the file is then as it was."""
    text = edited(path, edit, check)
    write_whole(path, text)
    return text


def edited(path: Path, edit: Edit, check: Callable[[Mapping[str, Any]], Any]) -> str:
    """What `rewrite` would write."""
    try:
        old = path.read_text("utf-8") if path.exists() else ""
        document = tomlkit.parse(old)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The configuration {path} cannot be read.") from error
    except TOMLKitError as error:
        raise ConfigError(f"The configuration {path} is not valid TOML.") from error
    edit(document)
    check(document.unwrap())
    return tomlkit.dumps(document)


def write_whole(path: Path, text: str) -> None:
    """Put the text in the file's place in one step; a new file is for its owner alone. A link is
    followed, so that it stays one. Raises ConfigError."""
    target = path.resolve()
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o600
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, mode)
            os.replace(name, target)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise ConfigError(
            f"The configuration {path} cannot be written.", kept="It is as it was."
        ) from error


def ghost_table(document: tomlkit.TOMLDocument) -> Table:
    """[ghost], made when it is not there. Raises ConfigError when it is something else."""
    return _table(document, "ghost")


def put(document: tomlkit.TOMLDocument, values: Mapping[str, Any]) -> None:
    """Set `[ghost]` values by dotted names ("prices.mode"); None removes one."""
    for dotted, value in values.items():
        *folders, key = dotted.split(".")
        table = ghost_table(document)
        if value is None:
            for folder in folders:
                table = table.get(folder, {})
            table.pop(key, None)
            continue
        for folder in folders:
            table = _table(table, folder)
        table[key] = value


def put_models(document: tomlkit.TOMLDocument, changes: Mapping[str, Mapping[str, Any]]) -> None:
    """Set values of single models; a plain list of names becomes [[ghost.models]] first."""
    ghost = ghost_table(document)
    entries = _entries(ghost)
    for name, values in changes.items():
        found = next((entry for entry in entries if entry.get("name") == name), None)
        if found is None:
            raise ConfigError(f"The ghost serves no model {name!r}.", kept="Nothing was changed.")
        for key, value in values.items():
            if value is None:
                found.pop(key, None)
            else:
                found[key] = value


def tables(values: Sequence[Mapping[str, Any]]) -> AoT:
    """An array of tables, for [[ghost.models]] and [[ghost.upstreams]]."""
    array = tomlkit.aot()
    for value in values:
        entry = tomlkit.table()
        entry.update(value)
        array.append(entry)
    return array


def _entries(ghost: Table) -> AoT:
    models = ghost.get("models")
    if isinstance(models, AoT):
        return models
    names = [{"name": str(name)} for name in models or ()]
    if any(key in ghost for key in ("in_price", "out_price")):
        usual = {key: ghost[key] for key in ("in_price", "out_price") if key in ghost}
        names = [{**name, **usual} for name in names]
    ghost.pop("models", None)
    array = tables(names)
    ghost["models"] = array
    return array


def _table(parent: Any, key: str) -> Table:
    if key not in parent:
        parent[key] = tomlkit.table()
    found = parent[key]
    if not isinstance(found, Mapping):
        raise ConfigError(f"The setting {key} in config.toml must be a table.")
    return found  # type: ignore[return-value]
