"""Who may not judge a method: experts that it names, and whoever sees with the same file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from hifibench.contracts import Crop, SwapperCard
from hifibench.pipeline.judges import took_part


def card(*trained_with: str) -> SwapperCard:
    return SwapperCard("mine", "", Crop("ffhq", 128), Crop("ffhq", 128), trained_with=trained_with)


def bring(cache: Path, expert: str, filename: str, content: bytes) -> None:
    place = cache / "networks" / expert / filename
    place.parent.mkdir(parents=True)
    place.write_bytes(content)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HIFIBENCH_CACHE", str(tmp_path))
    return tmp_path


def test_experts_that_the_card_names_took_part(cache: Path) -> None:
    assert took_part(card("w600k", "3ddfa"), ("edgeface", "w600k", "mediapipe")) == ["w600k"]
    assert took_part(card(), ("edgeface", "w600k")) == []


def test_a_teacher_of_the_users_own_is_known_by_its_content(cache: Path) -> None:
    bring(cache, "curricularface", "CurricularFace_Backbone.pth", b"weights")
    bring(cache, "buffalo-s", "w600k_mbf.onnx", b"others")
    taught = card(f"sha256:{hashlib.sha256(b'weights').hexdigest()}")
    assert took_part(taught, ("edgeface", "curricularface", "buffalo-s")) == ["curricularface"]


def test_two_experts_with_one_file_are_one_judge(cache: Path) -> None:
    bring(cache, "buffalo-l", "w600k_r50.onnx", b"r50")
    bring(cache, "buffalo-m", "w600k_r50.onnx", b"r50")
    assert took_part(card("buffalo-l"), ("buffalo-m", "buffalo-l", "edgeface")) == ["buffalo-l", "buffalo-m"]


def test_absent_files_are_no_common_file(cache: Path) -> None:
    assert took_part(card("buffalo-l"), ("antelopev2", "cosface")) == []
