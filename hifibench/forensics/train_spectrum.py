"""Training of the spectral classifier: spectra of whole faces and of their self-blends, scikit-learn's perceptron."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hifibench.errors import MissingError
from hifibench.experts.spectrum import CARD, FEATURES, Classifier, features, read
from hifibench.files import atomic_path, atomic_write
from hifibench.forensics.faces import Faces
from hifibench.forensics.samples import sample
from hifibench.forensics.settings import FOR_SPECTRUM, Settings
from hifibench.stage import Stage, quiet

_STREAM = 0x73706563


def spectra(faces: Faces, pairs: int, seed: int, stage: Stage = quiet) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Features of pairs of whole and self-blended faces.

    Returns:
        ``(2 pairs, F)`` float64, and ``(2 pairs,)`` labels, 1 for self-blends; pairs stand together.
    """
    seen = np.empty((2 * pairs, FEATURES))
    with stage("spectra", pairs) as done:
        for pair in range(pairs):
            rng = np.random.default_rng([_STREAM, seed, pair])
            made = sample(faces, int(rng.integers(len(faces))), CARD.crop, rng)
            seen[2 * pair], seen[2 * pair + 1] = features(made.real), features(made.fake)
            done(1)
    return seen, np.tile([0, 1], pairs)


def train(faces: Faces, settings: Settings, file: Path, stage: Stage = quiet) -> Classifier:
    """Train the classifier, or read what the same settings gave before.

    Args:
        faces: people of the training split.
        settings: what decides the result.
        file: where the classifier is kept, with what decided it beside it.
        stage: told of every pair.

    Raises:
        MissingError: scikit-learn is not installed.
    """
    decisive = settings.of(FOR_SPECTRUM)
    kept = file.with_suffix(".settings.json")
    if file.is_file() and kept.is_file() and json.loads(kept.read_text("utf-8")) == decisive:
        return read(file)
    kept.unlink(missing_ok=True)
    made = fit(*spectra(faces, settings.spectra, settings.seed, stage), settings)
    save(made, file)
    atomic_write(kept, json.dumps(decisive))
    return made


def fit(seen: NDArray[np.float64], fake: NDArray[np.int64], settings: Settings) -> Classifier:
    """The classifier of some features ``(N, F)`` and labels ``(N,)``."""
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPClassifier
        from sklearn.preprocessing import StandardScaler
    except ImportError as error:
        raise MissingError(
            "The spectral classifier is trained with scikit-learn, which is not installed. Install it with "
            "'python -m pip install scikit-learn'."
        ) from error
    scaler = StandardScaler().fit(seen)
    network = MLPClassifier(
        (settings.hidden,),
        alpha=settings.penalty,
        early_stopping=len(seen) >= 1000,
        n_iter_no_change=8,
        max_iter=80,
        random_state=settings.seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # to stop early is the intention
        network.fit(scaler.transform(seen), fake)
    return from_sklearn(scaler, network)


def from_sklearn(scaler: Any, network: Any) -> Classifier:
    """The arrays of a fitted ``StandardScaler`` and ``MLPClassifier`` with one hidden layer of two classes."""
    (hidden, out), (hidden_bias, out_bias) = network.coefs_, network.intercepts_
    return Classifier(scaler.mean_, scaler.scale_, hidden, hidden_bias, out[:, 0], out_bias)


def save(classifier: Classifier, file: Path) -> None:
    """Write the arrays as an ``.npz`` file, atomically; raises `MissingError` where that cannot be done."""
    arrays: Mapping[str, NDArray[np.float64]] = classifier._asdict()
    with atomic_path(file) as temporary, temporary.open("wb") as opened:
        np.savez(opened, allow_pickle=False, **arrays)
