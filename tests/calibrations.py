"""A calibration without a run: one metric that follows, one that is poor."""

from __future__ import annotations

from hifibench.calibration.records import SCHEMA, Calibration, Curve, Entry, Floor, Resolution


def curve(name: str, *, responds: bool = False, rho: float | None = 0.95, effect: float = 0.5) -> Curve:
    return Curve(
        name=name,
        title=name.capitalize(),
        unit="deg",
        doses=(2.0, 5.0),
        amounts=(2.0, 5.0),
        means=(1.0, 4.0),
        low=(0.5, 3.5),
        high=(1.5, 4.5),
        n=(20, 19),
        rho=rho,
        rho_low=0.9 if responds else None,
        rho_high=0.97 if responds else None,
        slope=0.5,
        resolution={100: Resolution(0.3, 0.6), 1000: Resolution(0.1, None)},
        responds=responds,
        expected=False,
        effect=effect,
    )


def entry(name: str = "pose[mediapipe]", *, poor: bool = False, card: str = "c1", floor: float = 1.5) -> Entry:
    return Entry(
        name=name,
        title="Pose error",
        unit="deg",
        direction="down",
        decimals=2,
        group="attributes",
        pairs=20,
        floor=Floor(floor, 1.25),
        ceiling=21.0,
        ceiling_of="source-copy",
        series=(curve("yaw", responds=True, rho=0.4 if poor else 0.95), curve("shape", effect=0.04), curve("light")),
        poor=poor,
        reason="ρ 0.40 with yaw <b>" if poor else "",
        experts={"mediapipe": card},
    )


def calibration(*entries: Entry, schema: int = SCHEMA) -> Calibration:
    return Calibration(schema, 1, "0.1.0", 20, 0, "ab" * 32, entries or (entry(), entry("gaze[mediapipe]", poor=True)))
