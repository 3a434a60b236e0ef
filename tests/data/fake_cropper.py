"""A cropper without networks, and folders of images without pixels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hifibench.contracts import Crop
from hifibench.data import images
from hifibench.data.face_crops import Cropping, Done, Dropped, Kept
from hifibench.data.originals import FolderSource, Person, Source

CROPPING = Cropping(Crop("ffhq", 32), 0.0)
PEOPLE = {"ann": "abc", "bea": "ab", "cid": "x", "dan": "", "eva": "ac"}


class FakeCropper:
    """Quick and repeatable: image ``x`` is dropped, others are kept; ``left`` people can be done before it stops."""

    left = 10**9
    done: list[str] = []  # noqa: RUF012

    def __init__(self, source: Source, cropping: Cropping, out: Path) -> None:
        self.settings: Mapping[str, object] = {
            "crop": {"template": cropping.crop.template, "size": cropping.crop.size},
            "min_side": cropping.min_side,
            "detector": "d" * 64,
            "segmenter": "s" * 64,
        }
        self._out = out

    def person(self, person: Person) -> Done:
        kept, dropped = [], []
        for number, original in enumerate(person.originals):
            if original.name == "x.jpg":
                dropped.append(Dropped(original.source, "no face", ""))
                continue
            image = f"{person.identity}/{original.name}"
            images.save_png(self._out / f"crops/{image}.png", np.full((32, 32, 4), number, np.uint8))
            place = (float(np.float32(0.1)), *map(float, range(9)))
            kept.append(Kept(image, f"crops/{image}.png", original.source, 256 / 3, place, f"{number:064x}"))
        if FakeCropper.left == 0:  # killed with its crops written and nothing noted
            raise KeyboardInterrupt
        FakeCropper.left -= 1
        FakeCropper.done.append(person.identity)
        return Done(person.identity, tuple(kept), tuple(dropped))


def folders(root: Path, people: Mapping[str, str]) -> FolderSource:
    for identity, names in people.items():
        (root / identity).mkdir(parents=True, exist_ok=True)
        for name in names:
            (root / identity / f"{name}.jpg").write_bytes(b"")
    return FolderSource(root)


def content(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
