"""Runs of a small suite in processes of their own, side by side, some of which are killed: for tests of sharing.

``python tests/shared_runs.py PAIRS_CSV JSON`` loads what is needed once and forks a process for every run, since to
import it anew would take longer than to run. JSON is a list of steps one after another, each a list of runs side by
side (`Start`); printed is a list of lists of exit codes, negative for signals.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

CHUNK = 4
METHODS = ("shared", "mirrored")


class Start(NamedTuple):
    """One process.

    Attributes:
        out: run folder.
        shard: its share.
        dies: it kills itself before the third file whose path holds this text comes to its place.
        raises: it fails there, as on a full disk, instead.
        group: its rank and how many there are, where a launcher started it.
        cache: of its own, which holds asset files alone at first; empty for that of the tests.
    """

    out: str
    shard: str = "1/1"
    dies: str = ""
    raises: str = ""
    group: tuple[int, int] | None = None
    cache: str = ""


def start(pairs: Path, steps: Sequence[Sequence[Start]]) -> tuple[list[list[int]], str]:
    """Run the steps in a child process; the exit codes, and what was said."""
    done = subprocess.run(
        [sys.executable, __file__, str(pairs), json.dumps(steps)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": "."},
        cwd=Path(__file__).parents[1],
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def photographs(folder: Path, frames: Sequence[Any]) -> Path:
    """Darker and darker copies of some portraits, and pairs of all of them; the CSV file."""
    from hifibench.data.images import save_png

    names = []
    for person, frame in enumerate(frames):
        for index in range(5):
            names.append(f"{person}-{index}.png")
            save_png(folder / names[-1], (frame[::2, ::2] * (1 - 0.05 * index)).astype(np.uint8))
    rows = [f"{a},{b},{a[0]},{b[0]}" for a in names for b in names if a[0] != b[0]]
    path = folder / "pairs.csv"
    path.write_text("\n".join(["source,target,source_id,target_id", *rows[:18]]) + "\n")
    return path


def register() -> None:
    """Offer two methods and an expert that take no time, and cut the work small."""
    from hifibench import registry
    from hifibench.contracts import Crop, ExpertCard, ExpertPlugin, SwapperCard, SwapperPlugin
    from hifibench.pipeline import store
    from hifibench.records import Cost, Status, Swap

    class Fake:
        def __init__(self, name: str) -> None:
            self.card = SwapperCard(name, "", source=Crop("ffhq", 64), target=Crop("ffhq", 64))

        def swap(self, source: Any, target: Any) -> Swap:
            image = (source + target.flip(3)) / 2 if self.card.name == "mirrored" else (source + target) / 2
            return Swap(image, None, (Status.OK,) * len(target))

        def cost(self) -> Cost:
            return Cost(1, 2, 3)

    class Probe:
        card = ExpertCard("probe", "", "forgery", Crop("ffhq", 64), {"fake": "(1,) the darker, the higher"})

        def observe(self, crops: Any) -> dict[str, Any]:
            return {"fake": -crops.mean((1, 2, 3))[:, None]}

    store.CHUNK = CHUNK
    registry.experts._added["probe"] = ExpertPlugin(Probe.card, lambda device: Probe())
    for name in METHODS:
        fake = Fake(name)
        registry.swappers._added[name] = SwapperPlugin(fake.card, lambda device, fake=fake: fake)


def suite(pairs: Path) -> Any:
    """Of the photographs."""
    from hifibench.suite import FileData, Suite

    source = FileData(kind="files", pairs_csv=pairs)
    return Suite(
        name="shared",
        title="Shared",
        data=source,
        methods=METHODS,
        metrics=("forgery_auc[probe]", "background[l1]"),
        draws=100,
    )


def _run(pairs: Path, one: Start) -> None:
    from hifibench.pipeline.group import joined
    from hifibench.pipeline.progress import Reporter
    from hifibench.pipeline.run import run
    from hifibench.pipeline.store import Shard

    if one.dies or one.raises:
        _strike(one.dies or one.raises, bool(one.dies))
    logging.basicConfig(format="hifibench: %(message)s", force=True)
    with joined() as group:
        run(
            suite(pairs),
            Path(one.out),
            shard=Shard.parse(one.shard),
            workers=1,
            reporter=Reporter(quiet=not group.leads),
            group=group,
        )


def _strike(text: str, kill: bool) -> None:
    replace, seen = Path.replace, []

    def struck(self: Path, target: Path) -> Path:
        if text in str(target):
            seen.append(target)
        if len(seen) >= (3 if "/" in text else 1):
            if kill:
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(28, "No space left on device")
        return replace(self, target)

    Path.replace = struck  # type: ignore[assignment,method-assign]


def _fork(pairs: Path, one: Start, port: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    os.dup2(2, 1)
    try:
        if one.cache:
            _empty(Path(one.cache))
        if one.group is not None:
            rank, size = map(str, one.group)
            os.environ |= {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "LOCAL_WORLD_SIZE": size}
            os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        _run(pairs, one)
        code = 0
    except Exception as error:
        from hifibench.errors import HifibenchError

        code = error.exit_code if isinstance(error, HifibenchError) else 1
        print(f"hifibench: {error}", file=sys.stderr)
        if not isinstance(error, HifibenchError):
            traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _empty(cache: Path) -> None:
    from hifibench import assets

    cache.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        (cache / "assets").symlink_to(assets.cache_root() / "assets")
    os.environ["HIFIBENCH_CACHE"] = str(cache)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _main(pairs: Path, steps: list[list[Any]]) -> None:
    import cv2  # noqa: F401
    import pandas  # noqa: F401
    import torch.distributed  # noqa: F401

    import hifibench.pipeline.run  # noqa: F401
    import metrics.summary  # noqa: F401

    register()
    codes = []
    for step in steps:
        port = _free_port()
        pids = [_fork(pairs, Start(*one), port) for one in step]
        codes.append([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids])
    print(json.dumps(codes))


if __name__ == "__main__":
    _main(Path(sys.argv[1]), json.loads(sys.argv[2]))
