"""The Basel face of Deep3DFaceRecon: ``BFM_model_front.mat``, which the user brings.

The Basel Face Model of 2009, cut to the front of the face, with the expressions of Guo et al. Its users make the file
from the model that Basel licenses to them; it may not be passed on.

Source: Y. Deng et al., "Accurate 3D face reconstruction with weakly-supervised learning: from single image to image
set", CVPRW 2019; P. Paysan et al., "A 3D face model for pose and illumination invariant face recognition", AVSS 2009;
Y. Guo et al., "CNN-based real-time dense face reconstruction with inverse-rendered photo-realistic face images",
PAMI 2018.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hifibench.errors import UsageError
from hifibench.faces.morphable import MorphableModel
from hifibench.records import Floats

N_IDENTITY, N_EXPRESSION, N_LANDMARKS = 80, 64, 68

_ARRAYS = ("meanshape", "idBase", "exBase", "keypoints")
_WANTED = "the BFM_model_front.mat of Deep3DFaceRecon, made from the Basel Face Model of 2009"
_HDF5 = b"\x89HDF\r\n\x1a\n"


def load_basel_front(path: Path) -> MorphableModel[Floats]:
    """Read ``BFM_model_front.mat`` (a MATLAB file up to version 7).

    Of its arrays four are read: ``meanshape`` (3V numbers, x, y, z of the first vertex and so on), ``idBase`` (3V, 80),
    ``exBase`` (3V, 64) and ``keypoints`` (68 vertices, counted from one). V is 35,709 in the release.

    Returns:
        The model in decimetres, its vertices' mean at the origin, as the network was trained with it; 80 identity and
        64 expression coefficients in standard deviations; 68 landmarks in iBUG order.

    Raises:
        UsageError: there is no such file, it is damaged, is another version of the model, or an array is missing or has
            another shape.
    """
    arrays = _read(path)
    missing = [name for name in _ARRAYS if name not in arrays]
    if missing:
        raise UsageError(
            f"{path} has no {', '.join(missing)}; a BFM_model_front.mat holds {', '.join(_ARRAYS)}. The model of 2009 "
            "as Basel gives it (01_MorphableModel.mat) is to be converted first, by the script of Deep3DFaceRecon; "
            "those of 2017 and 2019 have other bases and cannot be."
        )
    mean, identity, expression, keypoints = (_numbers(path, name, arrays[name]) for name in _ARRAYS)
    rows = mean.size
    _check(path, "meanshape", mean, rows > 0 and rows % 3 == 0, "three numbers a vertex")
    _check(path, "idBase", identity, identity.shape == (rows, N_IDENTITY), f"({rows}, {N_IDENTITY})")
    _check(path, "exBase", expression, expression.shape == (rows, N_EXPRESSION), f"({rows}, {N_EXPRESSION})")
    _check(path, "keypoints", keypoints, keypoints.size == N_LANDMARKS, f"{N_LANDMARKS} vertices")
    landmarks = keypoints.ravel().astype(np.int64)
    if landmarks.min() < 1 or landmarks.max() > rows // 3:
        raise UsageError(
            f"{path}: keypoints name vertices {landmarks.min()} to {landmarks.max()}; expected 1 to {rows // 3}. "
            "Make the file again."
        )
    vertices = mean.reshape(-1, 3)
    return MorphableModel(
        name="bfm-front",
        mean=np.ascontiguousarray(vertices - vertices.mean(axis=0), np.float32),
        identity_basis=np.ascontiguousarray(identity, np.float32),
        expression_basis=np.ascontiguousarray(expression, np.float32),
        keypoints=landmarks - 1,
    )


def _read(path: Path) -> dict[str, Any]:
    from scipy.io import loadmat

    if not path.is_file():
        raise UsageError(f"There is no Basel face model {path}. Give {_WANTED}.")
    with path.open("rb") as stream:
        begins = stream.read(len(_HDF5))
    if begins == _HDF5:
        raise UsageError(
            f"{path} is an HDF5 file, as the Basel Face Models of 2017 and 2019 are; their bases are not those that "
            f"the network was trained with. Give {_WANTED}."
        )
    try:
        arrays: dict[str, Any] = loadmat(str(path), variable_names=list(_ARRAYS))
    except NotImplementedError as error:
        raise UsageError(f"{path} is a MATLAB file of version 7.3. Save it as version 7: save(..., '-v7').") from error
    except Exception as error:  # a damaged file makes scipy raise what its parts raise: no common base class but this
        raise UsageError(
            f"{path} is no whole MATLAB file ({type(error).__name__}: {error}). Give {_WANTED}."
        ) from error
    return arrays


def _numbers(path: Path, name: str, array: Any) -> NDArray[np.float64]:
    kind = getattr(getattr(array, "dtype", None), "kind", "?")
    if kind not in "iuf" or not (np.abs(array) < np.finfo(np.float32).max).all():
        raise UsageError(f"{path}: {name} holds something else than finite numbers. Make the file again.")
    numbers: NDArray[np.float64] = np.asarray(array, np.float64)
    return numbers


def _check(path: Path, name: str, array: NDArray[np.float64], right: bool, expected: str) -> None:
    if not right:
        raise UsageError(f"{path}: {name} has shape {array.shape}; expected {expected}. Give {_WANTED}.")
