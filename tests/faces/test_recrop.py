from __future__ import annotations

import numpy as np
import pytest
import torch

from hifibench.contracts import Crop
from hifibench.faces import align, recrop, templates

FFHQ = Crop("ffhq", 256)


@pytest.mark.parametrize(("template", "size"), [("arcface", 112), ("dlib", 150), ("ffhq", 128)])
def test_five_points_go_from_template_to_template(template: str, size: int) -> None:
    face = templates.mean_face()
    given, wanted = (templates.matrix(face, crop, (512, 512)) for crop in (FFHQ, Crop(template, size)))
    moved = align.apply(recrop.matrix(FFHQ, Crop(template, size)), align.apply(given, face.landmarks))
    np.testing.assert_allclose(moved, align.apply(wanted, face.landmarks), atol=1e-3)


@pytest.mark.parametrize("crop", [Crop("arcface", 112), Crop("box", 120), Crop("ffhq", 64)])
def test_pixels_are_those_of_cutting_by_the_same_matrix(crop: Crop) -> None:
    y, x = np.mgrid[:256, :256] / 256
    picture = np.rint(255 * np.stack([x, y, 0.5 + 0.4 * np.sin(9 * x + 5 * y)], axis=2)).astype(np.uint8)
    expected = align.cut(picture, recrop.matrix(FFHQ, crop), crop.size)
    found = recrop.recrop(torch.from_numpy(align.chw(picture))[None], FFHQ, crop)[0].numpy()
    # OpenCV places samples on a grid of 1/32 pixel.
    np.testing.assert_allclose(found, expected, atol=6e-3)


def test_a_crop_of_a_portrait_shows_what_the_frame_shows(portrait) -> None:
    from hifibench.faces.detect import Detector

    frame = portrait(2_000_000_001)
    face = Detector().choose(frame)
    aligned, _ = templates.take(frame, face, FFHQ)
    for crop in (Crop("arcface", 112), Crop("box", 120)):
        direct, _ = templates.take(frame, face, crop)
        found = recrop.recrop(torch.from_numpy(aligned)[None], FFHQ, crop)[0].numpy()
        # The box follows the detector and not the template, so it is a little off for faces unlike the mean.
        assert np.abs(found - direct).mean() < 0.08
        assert np.abs(found[:, ::-1] - direct).mean() > 0.1


def test_gradients_reach_the_images() -> None:
    images = torch.rand(2, 3, 256, 256, requires_grad=True)
    recrop.recrop(images, FFHQ, Crop("arcface", 112)).sum().backward()
    assert images.grad is not None
    assert float(images.grad[:, :, 128, 128].min()) > 0
    assert float(images.grad[:, :, 0, 0].abs().max()) == 0


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="no ffhq crops of 256"):
        recrop.recrop(torch.rand(1, 3, 128, 128), FFHQ, Crop("arcface", 112))
