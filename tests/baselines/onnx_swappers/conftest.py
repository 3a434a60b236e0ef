from __future__ import annotations

from pathlib import Path

import pytest
from onnx_files import Recogniser, Swapper
from user_rows import SIZE


@pytest.fixture
def tiny(tmp_path: Path) -> Swapper:
    """The file of `CROP`."""
    made = Swapper(SIZE, (3, SIZE, SIZE))
    made.write(tmp_path / "tiny.onnx")
    return made


@pytest.fixture
def known(tmp_path: Path) -> Swapper:
    """The files of `EMBEDDING`."""
    made = Swapper(SIZE, (512,))
    made.write(tmp_path / "tiny.onnx")
    Recogniser().write(tmp_path / "who.onnx")
    return made
