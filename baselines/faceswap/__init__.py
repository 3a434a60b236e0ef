"""FaceSwap, the classical method: a mesh-guided warp, colour correction and blending; nothing is learned."""

from __future__ import annotations

from hifibench.contracts import Crop, Swapper, SwapperCard, SwapperPlugin

CARD = SwapperCard(
    name="faceswap",
    summary="Classical: mesh-guided warp, colour transfer, Poisson blending",
    source=Crop("ffhq", 512),
    target=Crop("ffhq", 512),
    paper="After the FaceSwap baseline of Rössler et al., FaceForensics++, ICCV 2019 (M. Kowalski's program)",
    licence="Apache-2.0",
    assets=("mediapipe-face-landmarker",),
    limits=(
        "The outline of the face, its teeth and its hair stay the target's; glasses of the target are cut where the "
        "face is replaced, those of the source come along as texture. Hard shadows in the source partly remain. "
        "Beyond some 30 degrees of yaw between the two, half of the source's face is seen mirrored. It places the face "
        "by MediaPipe's landmarks, so pose and expression measured by MediaPipe flatter it."
    ),
    version=2,
)


def load(device: str) -> Swapper:
    """Load the swapper; all of it runs on the CPU, whatever the device.

    Raises:
        MissingError: the landmarker's file is absent and cannot be fetched.
        UsageError: the landmarker's file is not what it should be.
    """
    from baselines.faceswap.mesh import Mesh
    from baselines.faceswap.swapper import FaceSwap
    from hifibench import assets
    from hifibench.experts.landmarker import Landmarker

    return FaceSwap(CARD, Landmarker(), Mesh.load(assets.path("mediapipe-face-landmarker")))


faceswap = SwapperPlugin(card=CARD, load=load)
