"""Methods from a user's TOML file: every table is one, its ``kind`` says how it is run.

```toml
[my-simswap]
kind = "external"
command = ["/envs/simswap/bin/python", "wrap_simswap.py"]
```

What else stands in a table is up to the kind (`hifibench list kinds`). Relative paths are relative to the file.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from hifibench import registry
from hifibench.errors import UsageError


def add(file: Path) -> list[str]:
    """Offer the methods of a file in this process; their names, in the file's order.

    Raises:
        UsageError: the file cannot be read, a table is wrong, or a name is taken.
    """
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"The methods file {file} cannot be read: {error.strerror or error}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"The methods file {file} is no TOML: {error}.") from error
    if not tables:
        raise UsageError(f"The methods file {file} is empty; expected a table for each method.")
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise UsageError(f"{file}: {name} is no table; expected [{name}] with a kind and its settings.")
        kind = table.pop("kind", None)
        if not isinstance(kind, str):
            raise UsageError(f"{file}, [{name}]: no kind; expected one of {', '.join(registry.kinds.names())}.")
        plugin = registry.kinds.get(kind).make(name, table, file.resolve().parent)
        registry.swappers.add(name, plugin)
    return list(tables)
