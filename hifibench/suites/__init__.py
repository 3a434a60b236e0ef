"""The benchmark suites that come with the project, one YAML file each (`hifibench.suite` says what they hold)."""

from pathlib import Path

_HERE = Path(__file__).parent

demo, ablation, calibrate, ci = (_HERE / f"{name}.yaml" for name in ("demo", "ablation", "calibrate", "ci"))
truth, truth_video = (_HERE / f"{name}.yaml" for name in ("truth", "truth-video"))
ffpp_table1, ffpp_table2, ffpp_ablation, ffpp_fig6 = (
    _HERE / f"ffpp-{name}.yaml" for name in ("table1", "table2", "ablation", "fig6")
)
