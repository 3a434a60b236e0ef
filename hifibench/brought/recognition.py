"""Face recognisers that the user brings."""

from __future__ import annotations

from hifibench.asset_records import Brought

FILES: tuple[Brought, ...] = ()
