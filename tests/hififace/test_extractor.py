from __future__ import annotations

import numpy as np
import pytest
import torch

from hifibench.contracts import Crop
from hifibench.faces import templates
from hifibench.faces.detect import Detector
from hifibench.faces.pose import rotation
from hifibench.hififace.config import TDDFA, Config
from hifibench.hififace.extractor import SidExtractor, TddfaModel, angles
from hifibench.hififace.identity import v_sid

FFHQ = Crop("ffhq", 256)


@pytest.fixture(scope="module")
def extractor() -> SidExtractor:
    from hifibench.experts.recognition import w600k_module

    return SidExtractor(TddfaModel(), w600k_module())


@pytest.fixture(scope="module")
def faces(portrait) -> torch.Tensor:
    detector = Detector()
    frames = [portrait(seed) for seed in (2_000_000_001, 2_000_000_002)]
    crops = [templates.take(frame, detector.choose(frame), FFHQ)[0] for frame in frames]
    return torch.from_numpy(np.stack(crops))


def test_angles_are_those_of_the_rotation() -> None:
    pose_deg = np.random.default_rng(0).uniform(-60, 60, (20, 3))
    camera = torch.from_numpy(np.concatenate([3.7 * rotation(pose_deg), np.zeros((20, 3, 1))], axis=2))
    np.testing.assert_allclose(np.degrees(angles(camera).numpy()), pose_deg, atol=1e-6)


def test_pose_agrees_with_the_expert(extractor: SidExtractor, portrait) -> None:
    from hifibench.experts.reconstruction import tddfa

    frame = portrait(2_000_000_001)
    crop, _ = templates.take(frame, Detector().choose(frame), Crop("box", 120))
    seen = extractor.face_model.network(torch.from_numpy(crop)[None])
    expected = tddfa.load("cpu").observe(crop[None])["pose_deg"]
    np.testing.assert_allclose(np.degrees(angles(seen.camera).numpy()), expected, atol=0.3)


def test_the_swap_should_have_the_targets_landmarks_where_both_are_one_person(extractor, faces) -> None:
    with torch.no_grad():
        same = extractor(faces, faces, FFHQ)
        torch.testing.assert_close(same.q_fuse, extractor.landmarks(faces, FFHQ))
        other = extractor(faces.flip(0), faces, FFHQ)
    assert float((other.q_fuse - same.q_fuse).abs().max()) > 0.005
    # Landmarks lie in the crop, the eyes above the mouth.
    assert float(same.q_fuse[..., :2].min()) > -0.3 and float(same.q_fuse[..., :2].max()) < 1.3


def test_v_id_is_a_unit_vector_that_tells_people_apart(extractor, faces) -> None:
    with torch.no_grad():
        v = extractor.identity(faces, FFHQ)
    torch.testing.assert_close(v.norm(dim=1), torch.ones(2))
    assert float(v[0] @ v[1]) < 0.5


def test_coefficients_are_near_one_and_make_v_sid(extractor, faces) -> None:
    with torch.no_grad():
        sid = extractor(faces, faces, FFHQ)
    config = Config(face_model=TDDFA)
    v = v_sid(sid.c_fuse, sid.v_id, config)
    assert v.shape == (2, config.style_dim)
    assert float(sid.c_fuse.identity.abs().max()) < 8 and float(sid.c_fuse.identity.std()) > 0.1


def test_losses_reach_the_images_and_no_frozen_weight(extractor, faces) -> None:
    images = faces.clone().requires_grad_(True)
    sid = extractor(faces, images, FFHQ)
    (sid.q_fuse.sum() + extractor.landmarks(images, FFHQ).sum() + extractor.identity(images, FFHQ).sum()).backward()
    assert images.grad is not None and float(images.grad.abs().sum()) > 0
    assert not any(parameter.requires_grad for parameter in extractor.parameters())
