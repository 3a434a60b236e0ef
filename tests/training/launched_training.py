"""A whole training, as ``hifibench train`` does it, for a launcher to start several times: images are made first."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import torch
from tiny_training import PLAN, SETTINGS, Tiny, write_faces

from hifibench.errors import UsageError
from hifibench.pipeline.progress import Reporter
from hifibench.records import Cost
from hifibench.training.contract import TrainerPlugin
from hifibench.training.run import train


def main(out: Path) -> None:
    torch.set_num_threads(1)
    made: list[str] = []

    def images() -> Path:
        """The first process takes a while; one that did not wait for it would make them, too."""
        folder = out / "images"
        if not folder.exists():
            made.append("made")
            time.sleep(3)
            write_faces(out / "begun").rename(folder)
        return folder

    def never(name: str, file: Path) -> None:
        raise UsageError(f"{name} is not to be opened: {file}")

    plugin = TrainerPlugin(
        presets={"tiny": PLAN},
        assets=lambda plan: (),
        count=lambda plan: Cost(0, 0, None),
        make=lambda plan, device: Tiny(plan),
        export=lambda network, card, file: file.write_text(json.dumps({"card": card}, default=str)),
        open=never,  # type: ignore[arg-type]
    )
    file = train(
        "tiny", plugin, PLAN, images, out / "run", seed=7, device="cpu", settings=SETTINGS, reporter=Reporter(True)
    )
    rank = torch.distributed.get_rank()
    (out / f"rank-{rank}.json").write_text(json.dumps({"made": made, "there": file.exists()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
