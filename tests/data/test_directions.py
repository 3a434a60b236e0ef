from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hifibench.data import directions, generator, style_space
from hifibench.data.directions import Observer
from hifibench.data.style_space import ATTRIBUTES, StyleSpace
from hifibench.errors import UsageError


class TestRegression:
    def test_ridge_is_least_squares_on_augmented_data(self) -> None:
        rng = np.random.default_rng(0)
        x, y = rng.normal(size=(40, 7)), rng.normal(size=(40, 3))
        augmented = np.vstack([x, np.sqrt(2.5) * np.eye(7)])
        expected = np.linalg.lstsq(augmented, np.vstack([y, np.zeros((7, 3))]), rcond=None)[0]
        np.testing.assert_allclose(directions.ridge(x, y, 2.5), expected, atol=1e-10)

    def test_cross_validation_tells_a_linear_attribute_from_noise(self) -> None:
        rng = np.random.default_rng(1)
        x = rng.normal(size=(300, 20))
        linear, noise = x @ rng.normal(size=20) + 5, rng.normal(size=300)
        r = directions.cross_validated(x, np.column_stack([linear, noise]), 1e-6)
        assert r[0] > 0.9999
        assert abs(r[1]) < 0.2

    def test_directions_raise_one_attribute_by_one_unit_and_no_other_by_the_shortest_way(self) -> None:
        rng = np.random.default_rng(2)
        basis = np.linalg.qr(rng.normal(size=(512, 60)))[0]
        styles = 100 * rng.normal(size=(300, 60)) @ basis.T
        truth = basis @ rng.normal(size=(60, 6))
        found, r = directions.fit(styles, styles @ truth + 3)
        np.testing.assert_allclose(found @ truth, np.eye(6), atol=1e-4)
        np.testing.assert_allclose(found, np.linalg.pinv(truth), atol=1e-4)
        assert r.min() > 0.999

    def test_too_few_faces_are_refused(self) -> None:
        with pytest.raises(UsageError, match="100 faces cannot tell 100 components apart"):
            directions.fit(np.zeros((100, 512)), np.zeros((100, 6)))


class TestLight:
    def test_a_face_lit_from_one_side(self) -> None:
        face = np.full((3, 112, 112), 0.2, np.float32)
        face[:, :, 56:] = 0.6
        side, brightness = directions.light(face)
        assert side == pytest.approx(0.5, abs=1e-4)
        assert brightness == pytest.approx(0.4, abs=1e-4)
        assert directions.light(face[:, :, ::-1].copy())[0] == pytest.approx(-0.5, abs=1e-4)

    def test_colours_weigh_as_the_eye_sees_them(self) -> None:
        for channel, weight in enumerate((0.299, 0.587, 0.114)):
            face = np.zeros((3, 112, 112), np.float32)
            face[channel] = 1
            assert directions.light(face)[1] == pytest.approx(weight, abs=1e-5)


class TestStyleSpace:
    def test_the_shipped_one_has_its_shapes_and_is_worth_shipping(self) -> None:
        space = style_space.shipped()
        n = len(ATTRIBUTES)
        assert space.mean.shape == (512,)
        assert space.directions.shape == (n, 512)
        assert space.correlation.shape == (n,)
        assert space.correlation.min() > 0.5
        assert (np.diag(space.gain) > 0.6).all()
        assert (np.diag(space.gain) < 1.5).all()
        with pytest.raises(ValueError, match="read-only"):
            space.mean[0] = 0

    def test_it_survives_a_file_and_gives_the_same_bytes(self, tmp_path: Path) -> None:
        space = style_space.shipped()
        for name in ("a", "b"):
            space.save(tmp_path / f"{name}.npz")
        assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
        loaded = StyleSpace.load(tmp_path / "a.npz")
        np.testing.assert_array_equal(loaded.directions, space.directions)
        np.testing.assert_array_equal(loaded.gain, space.gain)

    def test_other_attributes_are_refused(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "other.npz", attributes=np.array(["yaw", "age"]))
        with pytest.raises(ValueError, match=r"has the attributes .*'age'.*Find the directions anew"):
            StyleSpace.load(tmp_path / "other.npz")

    def test_the_shipped_mean_is_that_of_the_mapped_prior(self) -> None:
        latents = np.random.default_rng(5).standard_normal((2000, 512), np.float32)
        mean = generator.shared().mapped(latents).mean(0)
        space = style_space.shipped()
        spread = np.linalg.norm(generator.shared().mapped(latents[:200]) - space.mean, axis=1).mean()
        assert np.linalg.norm(mean - space.mean) < 0.05 * spread


@pytest.mark.slow
def test_a_step_turns_lifts_and_lights_faces_by_what_was_asked() -> None:
    network, observer = generator.shared(), Observer()
    styles = network.styles(range(40, 46))
    steps = {"yaw": 8.0, "pitch": 6.0, "brightness": 0.06}
    for name, step in steps.items():
        which = ATTRIBUTES.index(name)
        move = step * style_space.shipped().directions[which]
        ahead, back = (
            np.stack([observer.observe(frame) for frame in network.render(styles + sign * move)]) for sign in (1, -1)
        )
        change = (ahead - back).mean(0) / 2
        assert change[which] == pytest.approx(step, rel=0.3)
        for other, size in steps.items():
            if other != name:
                assert abs(change[ATTRIBUTES.index(other)]) < 0.4 * size, (name, other)


def test_a_frame_without_a_face_has_no_attributes() -> None:
    assert np.isnan(Observer().observe(np.full((256, 256, 3), 90, np.uint8))).all()
