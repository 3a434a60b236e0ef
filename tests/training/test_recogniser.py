"""Identity vectors of images that are aligned in another way than the recogniser wants them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from hifibench.contracts import Crop
from hifibench.faces import templates
from hifibench.records import Frame
from hifibench.training.recogniser import AlignedRecogniser, w600k


class Corner(nn.Module):
    """The mean colour of the crop's left half, three times as long as a unit vector should be."""

    def forward(self, crops: Tensor) -> Tensor:
        return 3 * crops[..., : crops.shape[-1] // 2].mean((2, 3))


def test_vectors_have_unit_length_and_see_the_wanted_crop_alone() -> None:
    look = AlignedRecogniser(Corner(), Crop("ffhq", 128))
    image = torch.zeros(1, 3, 128, 128)
    image[:, 0, :, :64], image[:, 1, :, 64:] = 1, 1
    image.requires_grad_()
    vector = look(image)
    assert float(vector.detach().norm()) == pytest.approx(1)
    assert vector[0, 0] > 0.99, "the left half is the first channel"
    vector[0, 1].backward()
    reached = (image.grad.abs().sum((0, 1)) > 0).nonzero()  # type: ignore[union-attr]
    # The crop of ArcFace is narrower than that of FFHQ: the outermost pixels are not looked at.
    assert int(reached[:, 1].min()) > 4 and int(reached[:, 1].max()) < 72


@pytest.mark.slow
def test_a_face_is_recognised_through_another_alignment(portrait: Callable[..., Frame]) -> None:
    from hifibench.experts.recognition import w600k_module
    from hifibench.faces.detect import Detector

    detector, given, wanted = Detector(), Crop("ffhq", 256), Crop("arcface", 112)
    look, direct = w600k(given), w600k_module("cpu")
    vectors = []
    for seed in (0, 1):
        frame = portrait(seed)
        face = detector.detect(frame)[0]
        one, other = (templates.take(frame, face, crop)[0] for crop in (given, wanted))
        with torch.no_grad():
            vectors.append((look(torch.from_numpy(one[None])), direct(torch.from_numpy(other[None]))))
    (a, a_direct), (b, _) = vectors
    assert float((a * a_direct).sum()) > 0.8 > 0.5 > float((a * b).sum())
    assert not any(one.requires_grad for one in look.parameters())
