"""Forgery detectors that the user brings."""

from __future__ import annotations

from hifibench.asset_records import Brought, Licence

_FFPP = Licence("FaceForensics++ terms, non-commercial research", research_only=True)
_DFDC = Licence("MIT; trained on the data of the Deepfake Detection Challenge", research_only=True)
_DFDC_RELEASE = "https://github.com/selimsef/dfdc_deepfake_challenge/releases/download/0.0.1"
_DFDC_RUNS = ("111_0_36", "555_0_19", "777_0_29", "777_0_31", "888_0_37", "888_0_40", "999_0_23")


def _dfdc(run: str) -> Brought:
    """One network of the ensemble; a run is its seed, fold and epoch."""
    seed, rest = run.split("_", 1)
    filename = f"final_{seed}_DeepFakeClassifier_tf_efficientnet_b7_ns_{rest}"
    return Brought(
        f"dfdc-b7-{run.replace('_', '-')}",
        (filename,),
        f"DFDC winner, EfficientNet-B7, run {run}",
        f"{_DFDC_RELEASE}/{filename}",
        _DFDC,
    )


# The networks under full/ in the same archive look at whole frames, not at faces.
XCEPTION = Brought(
    "xception-ffpp",
    ("all_c23.p",),
    "Xception of FaceForensics++, faces, c23",
    "http://kaldir.vc.in.tum.de/FaceForensics/models/faceforensics++_models.zip (face_detection/xception/all_c23.p)",
    _FFPP,
)

DFDC: tuple[Brought, ...] = tuple(map(_dfdc, _DFDC_RUNS))
"""The seven of the ensemble, in the order of its release."""

FILES: tuple[Brought, ...] = (XCEPTION, *DFDC)
