"""Every file that only the user can bring: the published networks that papers judge by and train with.

None of them is fetched. Each lies in the cache at ``networks/<name>/<filename>``, put or linked there by the user; what
is missing is told in one table, before anything is fetched or run (`hifibench.brought.store`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hifibench.asset_records import Brought
from hifibench.brought import forgery, parsing, recognition, reconstruction

BROUGHT: Mapping[str, Brought] = MappingProxyType(
    {one.name: one for room in (recognition, reconstruction, parsing, forgery) for one in room.FILES}
)
"""All of them by name; no name stands in `hifibench.asset_catalogue.CATALOGUE` too."""
