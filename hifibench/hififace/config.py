"""Which HifiFace: size, width and variant as data, so that the ablations are settings and not copies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Variant = Literal["full", "n3d", "bare", "blend", "concat"]

ID_DIM = 512
"""Length of the identity vector v_id of all recognisers used here."""


@dataclass(frozen=True)
class FaceModelLayout:
    """How many coefficients of a 3D face model enter v_sid (paper, Sec. 3.1).

    The paper's text uses identity, expression and pose; its rebuilds feed all 257 coefficients of the Deng layout, and
    with them the target's texture and light. Ours follows the text.
    """

    identity: int
    expression: int
    pose: int = 3

    @property
    def total(self) -> int:
        """Coefficients in all."""
        return self.identity + self.expression + self.pose


DENG = FaceModelLayout(identity=80, expression=64)
"""Deep3DFaceRecon (Deng et al., CVPRW 2019): with v_id 659 numbers."""

TDDFA = FaceModelLayout(identity=40, expression=10)
"""3DDFA_V2 (Guo et al., ECCV 2020), the embedded one: with v_id 565 numbers."""


@dataclass(frozen=True)
class Config:
    """Shape of a HifiFace generator.

    Attributes:
        size: side of the output in pixels: 128 (lite), 256, or 512 (one more block in F_up; the encoder still sees
            the target at 256, which the paper leaves open).
        width: channels relative to the paper's; rounded to multiples of 8.
        variant: ``full``; ``n3d``: v_sid is v_id alone (Fig. 7); ``bare``: no fusion (Fig. 8); ``blend``: only
            image-level fusion; ``concat``: feature-level fusion by concatenation, without a mask.
        face_model: coefficients in v_sid.
    """

    size: int = 256
    width: float = 1.0
    variant: Variant = "full"
    face_model: FaceModelLayout = DENG

    def __post_init__(self) -> None:
        if self.size not in (128, 256, 512):
            raise ValueError(f"size {self.size}: expected 128, 256 or 512 pixels")
        if not 0 < self.width <= 2:
            raise ValueError(f"width {self.width}: expected a multiple of the paper's channels in (0, 2]")
        if self.variant not in ("full", "n3d", "bare", "blend", "concat"):
            raise ValueError(f"variant {self.variant!r}: expected full, n3d, bare, blend or concat")

    def channels(self, paper: int) -> int:
        """The paper's channel count at this width."""
        return max(8, 8 * round(paper * self.width / 8))

    @property
    def encoder_size(self) -> int:
        """Side of the target that the encoder sees."""
        return min(self.size, 256)

    @property
    def low_size(self) -> int:
        """Side of z_enc, z_dec, M_low and I_low: a quarter of the encoder's input."""
        return self.encoder_size // 4

    @property
    def style_dim(self) -> int:
        """Length of v_sid."""
        return ID_DIM + (0 if self.variant == "n3d" else self.face_model.total)

    @property
    def feature_fusion(self) -> Literal["mask", "concat", "none"]:
        """How z_enc meets z_dec."""
        if self.variant in ("full", "n3d"):
            return "mask"
        return "concat" if self.variant == "concat" else "none"

    @property
    def image_fusion(self) -> bool:
        """Whether I_out is blended with the target by M_r."""
        return self.variant != "bare"
