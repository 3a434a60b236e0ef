import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hifibench.contracts import Crop
from hifibench.data import images, segment
from hifibench.data.face_crops import Cropper, Cropping, Done, DropError, Dropped, Reason, the_face
from hifibench.data.originals import FolderSource, Person, PortraitSource
from hifibench.errors import UsageError
from hifibench.faces import align, templates
from hifibench.faces.detect import AMBIGUOUS, Detector
from hifibench.records import Face, Frame

CROP = Crop("ffhq", 64)


def face(left: float, top: float, width: float, height: float) -> Face:
    box = np.array([left, top, left + width, top + height], np.float32)
    return Face(box, np.zeros((5, 2), np.float32), 1.0)


def crop_folder(root: Path, out: Path, min_side: float = 0.0) -> Done:
    source = FolderSource(root)
    [person] = source.people()
    return Cropper(source, Cropping(CROP, min_side), out).person(person)


@pytest.fixture
def ann(tmp_path: Path) -> Path:
    folder = tmp_path / "photos" / "ann"
    folder.mkdir(parents=True)
    return folder


def test_no_face_is_none() -> None:
    with pytest.raises(DropError) as dropped:
        the_face([])
    assert dropped.value.reason == Reason.NO_FACE


@given(area=st.floats(0.01, 1.0))
def test_a_second_face_counts_from_half_the_area_on(area: float) -> None:
    first, second = face(0, 0, 100, 100), face(200, 0, 100, 100 * area)
    if area < AMBIGUOUS - 1e-6:
        assert the_face([first, second]) is first
    elif area > AMBIGUOUS + 1e-6:
        with pytest.raises(DropError) as dropped:
            the_face([first, second])
        assert dropped.value.reason == Reason.SEVERAL


def test_a_larger_face_at_the_rim_counts_too() -> None:
    with pytest.raises(DropError):
        the_face([face(0, 0, 100, 100), face(200, 0, 150, 150)])


def test_one_face_found_twice_is_one() -> None:
    first = face(0, 0, 100, 100)
    assert the_face([first, face(5, 5, 100, 100)]) is first


@pytest.fixture(scope="module")
def portraits(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    out = tmp_path_factory.mktemp("portraits")
    source = PortraitSource(identities=1, views=2, first_seed=17)
    [person] = source.people()
    return out, Cropper(source, Cropping(CROP, 0.0), out).person(person)


def test_a_crop_is_that_of_its_template(portraits: tuple[Path, Done], portrait: object) -> None:
    out, done = portraits
    assert not done.dropped
    for view, row in enumerate(done.kept):
        frame = portrait(17, view)  # type: ignore[operator]
        found = Detector().choose(frame)
        assert found is not None
        expected, matrix = templates.take(frame, found, CROP)
        stored = np.array(Image.open(out / row.file))
        assert np.array_equal(stored[..., :3], align.hwc(expected))
        assert np.allclose(np.reshape(row.landmarks, (5, 2)), align.apply(matrix, found.landmarks), atol=1e-3)


def test_the_landmarks_lie_where_the_template_puts_them(portraits: tuple[Path, Done]) -> None:
    for row in portraits[1].kept:
        off = np.reshape(row.landmarks, (5, 2)) - templates.FFHQ * CROP.size / 512
        assert np.abs(off).max() < 0.06 * CROP.size


def test_the_mask_covers_the_landmarks_and_not_the_corners(portraits: tuple[Path, Done]) -> None:
    out, done = portraits
    for row in done.kept:
        mask = np.array(Image.open(out / row.file))[..., 3]
        assert set(np.unique(mask)) == {0, 255}
        x, y = np.rint(np.reshape(row.landmarks, (5, 2))).astype(int).T
        assert (mask[y, x] == 255).all()
        assert (mask[[0, 0], [0, -1]] == 0).all()


def test_a_crop_of_a_portrait_says_what_it_is(portraits: tuple[Path, Done]) -> None:
    out, done = portraits
    words = Image.open(out / done.kept[1].file).info
    assert words["portrait"] == done.kept[1].source == "portrait:seed=17;view=1"
    assert images.DIGITAL_SOURCE_TYPE in words["XML:com.adobe.xmp"]
    assert done.kept[1].content == ""


def test_the_side_is_counted_in_pixels_of_the_original(
    portraits: tuple[Path, Done], portrait: object, ann: Path, tmp_path: Path
) -> None:
    frame: Frame = portrait(17)  # type: ignore[operator]
    Image.fromarray(frame).resize((256, 256), Image.Resampling.BOX).save(ann / "half.png")
    Image.fromarray(frame).save(ann / "whole.png")
    half, whole = crop_folder(ann.parent, tmp_path / "out").kept
    assert whole.side == portraits[1].kept[0].side
    assert half.side == pytest.approx(whole.side / 2, rel=0.02)


def test_every_reason_to_drop_an_image_is_given(portrait: object, ann: Path, tmp_path: Path) -> None:
    frame: Frame = portrait(17)  # type: ignore[operator]
    images.save_png(ann / "0-good.png", frame)
    shutil.copy(ann / "0-good.png", ann / "1-copy.png")
    (ann / "2-broken.jpg").write_bytes(b"no image")
    images.save_png(ann / "3-sky.png", np.full((200, 200, 3), 200, np.uint8))
    images.save_png(ann / "4-two.png", np.hstack([frame, portrait(3)]))  # type: ignore[operator]
    Image.fromarray(frame).resize((128, 128), Image.Resampling.BOX).save(ann / "5-small.png")
    shutil.copy(ann / "2-broken.jpg", ann / "6-broken-too.jpg")
    done = crop_folder(ann.parent, tmp_path / "out", min_side=200)
    assert [row.image for row in done.kept] == ["ann/0-good.png"]
    assert [(row.source, row.reason) for row in done.dropped] == [
        ("ann/1-copy.png", "duplicate"),
        ("ann/2-broken.jpg", "unreadable"),
        ("ann/3-sky.png", "no face"),
        ("ann/4-two.png", "several faces"),
        ("ann/5-small.png", "too small"),
        ("ann/6-broken-too.jpg", "unreadable"),
    ]
    assert done.dropped[0].detail == "of ann/0-good.png"
    assert "2-broken.jpg" in done.dropped[1].detail
    assert done.dropped[3].detail == "2 faces of about one size"
    assert "pixels of the original" in done.dropped[4].detail
    assert len(done.sources) == 7
    assert [path.name for path in (tmp_path / "out").rglob("*.png")] == ["0-good.png.png"]


def test_a_mask_that_cannot_be_right_drops_its_image(
    portrait: object, ann: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Empty:
        fingerprint = "empty"

        def segment(self, crop: Frame) -> np.ndarray:
            return np.zeros(crop.shape[:2], bool)

    monkeypatch.setattr(segment, "make_segmenter", lambda crop, parser: Empty())
    images.save_png(ann / "1.png", portrait(17))  # type: ignore[operator]
    assert crop_folder(ann.parent, tmp_path / "out").dropped == (
        Dropped("ann/1.png", "implausible mask", "the face mask covers 0% of the crop, less than 10%"),
    )


def test_a_failure_that_nobody_foresaw_names_its_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = PortraitSource(identities=1, views=1, first_seed=17)
    cropper = Cropper(source, Cropping(CROP, 0.0), tmp_path)
    monkeypatch.setattr(Detector, "detect", lambda self, frame: 1 // 0)
    with pytest.raises(ZeroDivisionError) as failure:
        cropper.person(Person("17", source.people()[0].originals))
    assert failure.value.__notes__ == ["This happened to portrait:seed=17;view=0 of 17."]


@pytest.mark.parametrize(
    ("crop", "words"),
    [(Crop("fhq", 64), "Did you mean 'ffhq'"), (Crop("frame", 64), "frame"), (Crop("ffhq", 0), "size")],
)
def test_a_crop_that_does_not_exist_is_refused(tmp_path: Path, crop: Crop, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Cropper(FolderSource(tmp_path), Cropping(crop, 0.0), tmp_path)


def test_settings_hold_all_that_decides_a_crop(tmp_path: Path) -> None:
    def settings(crop: Crop, min_side: float) -> dict[str, object]:
        return dict(Cropper(FolderSource(tmp_path), Cropping(crop, min_side), tmp_path).settings)

    base = settings(CROP, 0.0)
    assert base == settings(CROP, 0.0)
    assert base != settings(CROP, 1.0)
    assert base["segmenter"] != settings(Crop("ffhq", 128), 0.0)["segmenter"]
