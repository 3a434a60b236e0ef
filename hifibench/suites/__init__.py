"""The benchmark suites that come with the project, one YAML file each (`hifibench.suite` says what they hold)."""

from pathlib import Path

demo, ablation = (Path(__file__).with_name(f"{name}.yaml") for name in ("demo", "ablation"))
