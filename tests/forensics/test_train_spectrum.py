from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from hifibench.errors import MissingError, UsageError
from hifibench.experts.spectrum import FEATURES, Classifier, read
from hifibench.forensics import train_spectrum as t
from hifibench.forensics.faces import Faces
from hifibench.forensics.settings import Settings


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    fake = np.arange(400) % 2
    return rng.normal(-3, 2, (400, FEATURES)) + 0.3 * fake[:, None], fake


def test_it_says_what_scikit_learn_says(data: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    seen, fake = data
    scaler = StandardScaler().fit(seen)
    network = MLPClassifier((7,), random_state=3, max_iter=300).fit(scaler.transform(seen), fake)
    t.save(t.from_sklearn(scaler, network), tmp_path / "c.npz")
    ours = read(tmp_path / "c.npz")
    logits = np.array([ours.logit(row) for row in seen])
    log = network.predict_log_proba(scaler.transform(seen))
    np.testing.assert_allclose(logits, log[:, 1] - log[:, 0], atol=1e-6, rtol=1e-6)
    assert ((logits > 0) == network.predict(scaler.transform(seen))).all() and (logits > 0).any()


def test_it_learns(data: tuple[np.ndarray, np.ndarray]) -> None:
    made = t.fit(*data, Settings())
    logits = np.array([made.logit(row) for row in data[0]])
    assert ((logits > 0) == data[1]).mean() > 0.9
    again = t.fit(*data, Settings())
    np.testing.assert_array_equal(made.hidden, again.hidden)


def test_pairs_stand_together_and_the_seed_decides(people: Faces) -> None:
    seen, fake = t.spectra(people, 3, seed=5)
    assert seen.shape == (6, FEATURES) and fake.tolist() == [0, 1, 0, 1, 0, 1]
    np.testing.assert_array_equal(seen[:2], t.spectra(people, 1, seed=5)[0])
    assert not np.array_equal(seen[0], seen[1])
    assert not np.array_equal(seen, t.spectra(people, 3, seed=6)[0])


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"no classifier of spectra at .*python -m hifibench\.forensics\.train"):
        read(tmp_path / "none.npz")
    file = tmp_path / "c.npz"
    file.write_bytes(b"PK\3\4")
    with pytest.raises(UsageError, match="no whole classifier of spectra"):
        read(file)
    arrays = Classifier(*(np.zeros(shape) for shape in ((9,), (9,), (9, 2), (2,), (2,), (1,))))
    t.save(arrays, file)
    with pytest.raises(UsageError, match=f"of other features; expected {FEATURES}"):
        read(file)
    np.savez(file, mean=np.array([{}], object))
    with pytest.raises(UsageError, match="no whole classifier"):
        read(file)
