"""The colour of what a pixel shows: procedural textures under harmonic light, one compiled loop over the samples."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hifibench.heads import noise as noises
from hifibench.heads import shading
from hifibench.heads.person import LOOK

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

SKIN, TONGUE, EYE, TEETH, CLOTH, FRAME = range(6)
"""Materials of triangles."""

# Labels, as in `hifibench.heads.labels`; compiled code wants plain numbers.
_L_SKIN, _L_BROW, _L_EYE, _L_NOSE, _L_MOUTH, _L_INNER, _L_EAR, _L_NECK, _L_HAIR, _L_CLOTH, _L_OCCLUDER = range(1, 12)

_at = {name: i for i, name in enumerate(LOOK)}
_SKIN_RGB, _BLOOD, _MOTTLE, _FRECKLES = _at["skin_r"], _at["blood"], _at["mottle"], _at["freckles"]
_AGE, _SHINE, _UNDER = _at["age"], _at["shine"], _at["under_eye"]
_B_OPACITY, _B_WIDTH, _B_LIFT, _B_TILT = _at["brow_opacity"], _at["brow_width"], _at["brow_lift"], _at["brow_tilt"]
_B_ARCH, _B_REACH, _B_GAP = _at["brow_arch"], _at["brow_reach"], _at["brow_gap"]
_HAIR_RGB, _LIP_RGB, _LIP, _LIP_WIDTH = _at["hair_r"], _at["lip_r"], _at["lip_opacity"], _at["lip_width"]
_IRIS_RGB, _IRIS, _PUPIL = _at["iris_r"], _at["iris_mm"], _at["pupil"]
_STUBBLE, _MOUSTACHE, _BEARD = _at["stubble"], _at["moustache"], _at["beard_line"]
_LASHES, _SHADOW, _OFFSET, _MOLES = _at["lashes"], _at["shadow"], _at["offset_x"], _at["mole1_x"]


@njit(cache=True, nogil=True, inline="always")
def _alike(
    face: Ints, material: NDArray[np.uint8], faces: Ints, points: Floats, row: int, column: int
) -> bool:  # pragma: no cover
    """Whether the four samples of a pixel show one smooth piece of one material, so that one colour does for all."""
    f = face[row, column]
    if f < 0:
        return False
    kind = material[f]
    near = far = points[faces[f, 0], 2]
    for sample in range(1, 4):
        other = face[row + sample // 2, column + sample % 2]
        if other < 0 or material[other] != kind:
            return False
        z = points[faces[other, 0], 2]
        near, far = max(near, z), min(far, z)
    return bool(near - far < 8.0)


@njit(cache=True, nogil=True, fastmath=True)
def shade(
    face: Ints,
    weights: Floats,
    faces: Ints,
    material: NDArray[np.uint8],
    points: Floats,
    normals: Floats,
    local: Floats,
    traits: Floats,
    eyes: Floats,
    up: Floats,
    look: Floats,
    hair_line: Floats,
    hair_cover: float,
    cloth: Floats,
    light: Floats,
    key: Floats,
    key_rgb: Floats,
    noise: Floats,
    colour: Floats,
    label: NDArray[np.uint8],
) -> None:  # pragma: no cover
    """Colours and labels of all samples that show a triangle; there are 2 x 2 of them in a pixel.

    Args:
        face: of the raster, ``(H, W)``.
        weights: of the raster, ``(H, W, 3)``.
        faces: ``(m, 3)``.
        material: ``(m,)``.
        points: ``(n, 3)`` in the camera frame, mm; the camera is at the origin and looks along -z.
        normals: ``(n, 3)`` of unit length.
        local: ``(n, 3)``: for skin the place on the mean head.
        traits: ``(n, 5)``: openness, within the mouth, ear, how easily it flushes, under an eye.
        eyes: ``(2, 4)`` centre and radius of the eyeballs in the camera frame.
        up: ``(3,)`` the head's y axis in the camera frame.
        look: see `hifibench.heads.person.LOOK`.
        hair_line: ``(361,)`` of the hair, for the scalp's shade.
        hair_cover: how much of that shade shows, 0 to 1.
        cloth: ``(8,)`` two colours, kind of pattern, its scale.
        light: harmonics of `hifibench.heads.light.Light`.
        key: its direction.
        key_rgb: its colour.
        noise: `hifibench.heads.noise.block`.
        colour: ``(H, W, 3)`` linear RGB, written.
        label: ``(H, W)``, written.
    """
    height, width = face.shape
    for at in range(height * width // 4):
        top_row, left_column = 2 * (at // (width // 2)), 2 * (at % (width // 2))
        together = _alike(face, material, faces, points, top_row, left_column)
        for sample in range(1 if together else 4):
            row, column = top_row + sample // 2, left_column + sample % 2
            f = face[row, column]
            if f < 0:
                continue
            kind = material[f]
            px = py = pz = nx = ny = nz = tx = ty = tz = opened = inner = ear = flush = under = 0.0
            for near in range(4 if together else 1):
                i, j = (top_row + near // 2, left_column + near % 2) if together else (row, column)
                f = face[i, j]
                a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
                u, v, w = weights[i, j, 0], weights[i, j, 1], weights[i, j, 2]
                px += u * points[a, 0] + v * points[b, 0] + w * points[c, 0]
                py += u * points[a, 1] + v * points[b, 1] + w * points[c, 1]
                pz += u * points[a, 2] + v * points[b, 2] + w * points[c, 2]
                nx += u * normals[a, 0] + v * normals[b, 0] + w * normals[c, 0]
                ny += u * normals[a, 1] + v * normals[b, 1] + w * normals[c, 1]
                nz += u * normals[a, 2] + v * normals[b, 2] + w * normals[c, 2]
                tx += u * local[a, 0] + v * local[b, 0] + w * local[c, 0]
                ty += u * local[a, 1] + v * local[b, 1] + w * local[c, 1]
                tz += u * local[a, 2] + v * local[b, 2] + w * local[c, 2]
                opened += u * traits[a, 0] + v * traits[b, 0] + w * traits[c, 0]
                if kind == SKIN:
                    inner += u * traits[a, 1] + v * traits[b, 1] + w * traits[c, 1]
                    ear += u * traits[a, 2] + v * traits[b, 2] + w * traits[c, 2]
                    flush += u * traits[a, 3] + v * traits[b, 3] + w * traits[c, 3]
                    under += u * traits[a, 4] + v * traits[b, 4] + w * traits[c, 4]
            if together:
                px, py, pz, tx, ty, tz = 0.25 * px, 0.25 * py, 0.25 * pz, 0.25 * tx, 0.25 * ty, 0.25 * tz
                opened, inner, ear, flush, under = 0.25 * opened, 0.25 * inner, 0.25 * ear, 0.25 * flush, 0.25 * under
            length = 1.0 / (np.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9)
            nx, ny, nz = nx * length, ny * length, nz * length
            r = g = bl = 0.5
            gloss, sharp = 0.0, 4
            mark = _L_SKIN
            if kind == SKIN:
                ox, oy, oz = look[_OFFSET], look[_OFFSET + 1], look[_OFFSET + 2]
                n1 = noises.at(noise, tx * 0.045 + ox, ty * 0.045 + oy, tz * 0.045 + oz)
                n2 = noises.at(noise, tx * 0.21 + oy, ty * 0.21 + oz, tz * 0.21 + ox)
                n3 = noises.at(noise, tx * 0.9 + oz, ty * 0.9 + ox, tz * 0.9 + oy)
                n4 = noises.at(noise, tx * 2.3 + ox, ty * 2.3 + oz, tz * 2.3 + oy)
                mottle = look[_MOTTLE]
                dark = mottle * (0.05 * n1 + 0.035 * n2 + 0.03 * n3 + 0.02 * n4)
                ax = abs(tx)
                blood = look[_BLOOD] * (flush + 0.14 * n1 + 0.1 * n2)
                under *= look[_UNDER]
                if look[_FRECKLES] > 0:
                    spots = shading.step(1.0, 1.6, noises.at(noise, tx * 0.5 + oz, ty * 0.5, tz * 0.5 + oy))
                    dark += 0.5 * look[_FRECKLES] * spots * (0.25 + 1.6 * flush)
                for m in range(3):
                    mx, my, mm = look[_MOLES + 3 * m], look[_MOLES + 3 * m + 1], look[_MOLES + 3 * m + 2]
                    if mm > 0 and tz > -20:
                        gap = np.sqrt((tx - mx) ** 2 + (ty - my) ** 2)
                        dark += 1.3 * shading.step(mm + 0.8, mm - 0.3, gap)
                if look[_AGE] > 0:  # lines of the forehead, and from the nose to the mouth
                    lines = np.sin((ty + 1.5 * n1 + 0.02 * ax * ax * 0.3) * 0.75)
                    dark += (
                        0.13
                        * look[_AGE]
                        * shading.step(0.72, 1.0, lines)
                        * shading.step(30.0, 38.0, ty)
                        * shading.step(72.0, 60.0, ty)
                    )
                    fold = ax - (19 + (-40 - ty) * 0.42)
                    fold = (
                        np.exp(-((fold / 1.8) ** 2)) * shading.step(-80.0, -66.0, ty) * shading.step(-36.0, -44.0, ty)
                    )
                    dark += 0.22 * look[_AGE] * fold
                r = look[_SKIN_RGB] * shading.fade(-dark + 0.03 * blood - 0.10 * under)
                g = look[_SKIN_RGB + 1] * shading.fade(-1.25 * dark - 0.30 * blood - 0.17 * under)
                bl = look[_SKIN_RGB + 2] * shading.fade(-1.4 * dark - 0.24 * blood - 0.06 * under)
                gloss, sharp = 0.05 * look[_SHINE] * (0.8 + 0.5 * flush + 0.3 * n3), 4
                fine = 1 + 0.03 * n4 + 0.03 * n3
                r, g, bl = r * fine, g * fine, bl * fine
                # Scalp under the hair.
                if hair_cover > 0 and (ty > 25 or tz < 5):
                    hx, hy, hz = tx, ty - 20.0, tz + 45.0
                    turn = np.degrees(np.arctan2(hx, hz))
                    rise = np.degrees(np.arctan2(hy, np.sqrt(hx * hx + hz * hz)))
                    over = rise - hair_line[min(max(int(turn + 180.5), 0), 360)] + 1.2 * n2
                    share = hair_cover * shading.step(-1.0, 7.0, over) * (1 - ear)
                    if share > 0:
                        fuzz = 0.75 + 0.25 * n4
                        r += share * (look[_HAIR_RGB] * fuzz - r)
                        g += share * (look[_HAIR_RGB + 1] * fuzz - g)
                        bl += share * (look[_HAIR_RGB + 2] * fuzz - bl)
                        if share > 0.5:
                            mark = _L_HAIR
                # Stubble and beard.
                if look[_STUBBLE] > 0 and ty < -40 and tz > -45:
                    line = look[_BEARD] + 0.30 * (ax - 45) + 3 * n1
                    region = shading.step(line + 6, line - 8, ty) * shading.step(26.0, 34.0, ax - 0.25 * (ty + 60))
                    region = max(region, shading.step(-78.0, -86.0, ty + 1.5 * n2))
                    lip_top = look[_MOUSTACHE] * shading.step(-48.0, -52.0, ty) * shading.step(-66.0, -62.0, ty)
                    lip_top *= shading.step(30.0, 24.0, ax)
                    region = max(region, lip_top)
                    region *= shading.step(-118.0, -102.0, ty + 0.4 * tz + 3 * n1)
                    share = look[_STUBBLE] * region * min(max(0.55 + 0.42 * n4 + 0.2 * n3, 0.05), 0.97)
                    r += share * (0.8 * look[_HAIR_RGB] + 0.01 - r)
                    g += share * (0.8 * look[_HAIR_RGB + 1] + 0.008 - g)
                    bl += share * (0.8 * look[_HAIR_RGB + 2] + 0.008 - bl)
                    gloss *= 1 - share
                if ty < -104 + 0.55 * (32 - tz) and tz < 40:
                    mark = _L_NECK
                if ear > 0.5 and ax > 64 and ((tz + 51) / 23) ** 2 + ((ty + 18) / 31) ** 2 < 1:
                    mark = _L_EAR
                if tz > 36 and ax < 17.5 - 0.26 * (ty + 40) and ty > -46.5 and ty < 4:
                    mark = _L_NOSE
                # Brows: a band along a curve, of slanting hairs.
                if ty > 6 and ty < 40 and tz > 10:
                    t = (ax - look[_B_GAP]) / (look[_B_REACH] - look[_B_GAP])
                    if t > -0.1 and t < 1.1:
                        along = min(max(t, 0.0), 1.0)
                        middle = 15.5 + look[_B_LIFT] + (4.5 + look[_B_ARCH]) * np.sin(np.pi * along**1.1 * 0.95)
                        middle += look[_B_TILT] * (ax - 32)
                        half = look[_B_WIDTH] * (1 - 0.75 * along**2)
                        away = abs(ty - middle)
                        over = ty - middle
                        slant = noises.at(noise, (ax + 0.9 * over) * 1.1 + ox, over * 0.22 + oy, tx * 0.01 + oz)
                        share = shading.step(half + 1.4, half - 1.0, away + 0.5 * slant)
                        share *= shading.step(-0.1, 0.1, t) * shading.step(1.1, 0.9, t)
                        if share > 0:
                            full = min(share * look[_B_OPACITY] * (0.86 + 0.22 * slant), 1.0)
                            r += full * (0.9 * look[_HAIR_RGB] - r)
                            g += full * (0.9 * look[_HAIR_RGB + 1] - g)
                            bl += full * (0.9 * look[_HAIR_RGB + 2] - bl)
                            gloss *= 1 - full
                            if share > 0.5:
                                mark = _L_BROW
                # Lips: between two curves over the closed mouth.
                if ty < -55 and ty > -88 and ax < 28 and tz > 35:
                    s = ax / 24.8
                    if s < 1.05:
                        flat = max(1 - s * s, 0.0)
                        top = -68.4 + look[_LIP_WIDTH] * (7.6 * flat**0.62 - 1.1 * np.exp(-((ax / 3.2) ** 2)))
                        low = -68.4 - look[_LIP_WIDTH] * 11.3 * flat**0.75
                        share = shading.step(top + 0.8, top - 0.8, ty) * shading.step(low - 0.9, low + 0.9, ty)
                        if share > 0:
                            full = share * look[_LIP]
                            grain = 1 + 0.10 * noises.at(noise, tx * 1.3 + oz, ty * 0.2 + ox, oy) + 0.05 * n3
                            r += full * (look[_LIP_RGB] * grain - r)
                            g += full * (look[_LIP_RGB + 1] * grain - g)
                            bl += full * (look[_LIP_RGB + 2] * grain - bl)
                            gloss, sharp = gloss + 0.09 * share, 5
                            if share > 0.5:
                                mark = _L_MOUTH
                            opened = max(opened, 0.55 * share)
                            # Where the lips meet.
                            seam = np.exp(-(((ty + 67.3) / 0.9) ** 2)) * share
                            r, g, bl = r * (1 - 0.45 * seam), g * (1 - 0.55 * seam), bl * (1 - 0.5 * seam)
                if inner > 0.4:
                    deep = shading.step(0.4, 0.9, inner)
                    r, g, bl = r + deep * (0.22 - r), g + deep * (0.05 - g), bl + deep * (0.05 - bl)
                    opened *= 1 - 0.6 * deep
                    if inner > 0.6:
                        mark = _L_INNER
                # Lid margins and lashes, by the distance to the eyeball.
                for e in range(2):
                    ex, ey, ez = px - eyes[e, 0], py - eyes[e, 1], pz - eyes[e, 2]
                    gap = np.sqrt(ex * ex + ey * ey + ez * ez) - eyes[e, 3]
                    if gap < 9:
                        above = (ex * up[0] + ey * up[1] + ez * up[2]) / eyes[e, 3]
                        share = shading.step(1.9, 0.5, gap) * (
                            0.9 * shading.step(-0.25, 0.05, above) + 0.4 * shading.step(0.0, -0.2, above)
                        )
                        share *= look[_LASHES]
                        r, g, bl = r * (1 - 0.88 * share), g * (1 - 0.9 * share), bl * (1 - 0.9 * share)
                        if look[_SHADOW] > 0 and above > 0.1:
                            tint = look[_SHADOW] * shading.step(6.0, 2.0, gap)
                            r, g, bl = r * (1 - 0.55 * tint), g * (1 - 0.6 * tint), bl * (1 - 0.5 * tint)
                        if gap < 1.2:
                            opened = max(opened, 0.5)
            elif kind == TONGUE:
                grain = 1 + 0.12 * noises.at(noise, tx * 0.6, ty * 0.6, tz * 0.6)
                r, g, bl = 0.36 * grain, 0.12 * grain, 0.11 * grain
                opened, gloss, sharp = 0.5, 0.05, 5
                mark = _L_INNER
            elif kind == EYE:
                mark = _L_EYE
                first = abs(px - eyes[0, 0]) + abs(py - eyes[0, 1])
                e = 0 if first < abs(px - eyes[1, 0]) + abs(py - eyes[1, 1]) else 1
                radius = eyes[e, 3]
                away = radius * np.sqrt(tx * tx + ty * ty)
                n1 = noises.at(noise, tx * 9 + look[_OFFSET], ty * 9, tz * 9)
                r, g, bl = 0.66 - 0.02 * n1, 0.60 - 0.03 * n1, 0.56 - 0.03 * n1
                red = shading.step(7.0, 12.0, away)
                r, g, bl = r * (1 - 0.05 * red), g * (1 - 0.22 * red), bl * (1 - 0.22 * red)
                if tz > 0:
                    size = look[_IRIS]
                    share = shading.step(size + 0.35, size - 0.35, away)
                    angle = np.arctan2(ty, tx)
                    rays = noises.at(noise, np.cos(angle) * 7 + 20, np.sin(angle) * 7 + 20, away * 0.35)
                    ring = 1 - 0.65 * shading.step(size - 1.6, size, away)
                    glow = (1 + 0.35 * rays) * ring * (1.15 - 0.3 * ty)
                    r += share * (look[_IRIS_RGB] * glow - r)
                    g += share * (look[_IRIS_RGB + 1] * glow - g)
                    bl += share * (look[_IRIS_RGB + 2] * glow - bl)
                    hole = shading.step(size * look[_PUPIL] + 0.25, size * look[_PUPIL] - 0.25, away)
                    r, g, bl = r * (1 - 0.97 * hole), g * (1 - 0.97 * hole), bl * (1 - 0.97 * hole)
                ex, ey, ez = px - eyes[e, 0], py - eyes[e, 1], pz - eyes[e, 2]
                above = (ex * up[0] + ey * up[1] + ez * up[2]) / radius
                opened = 0.92 - 0.5 * shading.step(0.02, 0.36, above) - 0.25 * shading.step(0.0, -0.3, above)
                gloss, sharp = 0.9, 8
            elif kind == TEETH:
                mark = _L_INNER
                ax = abs(tx)
                first, width_mm = (0.0, 8.6) if ax < 6 else (8.6, 7.0)
                edge = abs((ax - first) - width_mm * np.floor((ax - first) / width_mm + 0.5))
                line = 1 - 0.30 * shading.step(0.7, 0.1, edge)
                shadow = (1 - 0.75 * shading.step(9.0, 24.0, ax)) * (0.62 if tz > 0.5 else 0.45)
                gum = shading.step(0.42, 0.32, ty)
                r, g, bl = 0.72 * line, 0.68 * line, 0.58 * line
                r, g, bl = r + gum * (0.40 - r), g + gum * (0.14 - g), bl + gum * (0.13 - bl)
                opened, gloss, sharp = shadow, 0.08, 5
                mark = _L_INNER
                nx, ny, nz = 0.25 * nx, 0.25 * ny + 0.1, 0.75 * abs(nz) + 0.25
            elif kind == CLOTH:
                mark = _L_CLOTH
                pattern = 0.0
                if cloth[6] == 1:
                    pattern = 0.5 + 0.5 * np.sign(np.sin(ty * cloth[7]))
                elif cloth[6] == 2:
                    pattern = 0.5 + 0.5 * np.sign(np.sin(tx * cloth[7]) * np.sin(ty * cloth[7]))
                elif cloth[6] == 3:
                    pattern = shading.step(-0.3, 0.8, noises.at(noise, tx * 0.03, ty * 0.03, tz * 0.03))
                fold = noises.at(noise, tx * 0.030 + 7, ty * 0.018, tz * 0.03)
                weave = noises.at(noise, tx * 1.1, ty * 1.1, tz * 1.1)
                shadow = (1 + 0.16 * fold + 0.07 * weave) * (0.35 + 0.65 * shading.step(-100.0, -150.0, ty - 0.3 * tz))
                r = (cloth[0] + pattern * (cloth[3] - cloth[0])) * shadow
                g = (cloth[1] + pattern * (cloth[4] - cloth[1])) * shadow
                bl = (cloth[2] + pattern * (cloth[5] - cloth[2])) * shadow
                nx += 0.18 * fold
                opened = 0.95
            else:
                mark = _L_OCCLUDER
                r, g, bl = tx, ty, tz
                gloss, sharp, opened = 0.35, 5, 1.0
            # Light: irradiance times openness, and a highlight of the key.
            shown = 0.22 + 0.78 * opened
            back = -1.0 / np.sqrt(px * px + py * py + pz * pz)
            hx, hy, hz = px * back + key[0], py * back + key[1], pz * back + key[2]
            length = 1.0 / np.sqrt(hx * hx + hy * hy + hz * hz)
            shine = max((nx * hx + ny * hy + nz * hz) * length, 0.0)
            facing = max((px * nx + py * ny + pz * nz) * back, 0.0)
            rim = 1 - facing
            shine = gloss * opened * shading.sharpened(shine, sharp) * (1 + 2 * rim * rim) if shine > 0.3 else 0.0
            # Blood lets light through near the terminator, so red falls off more softly.
            soft = 0.12 if kind == SKIN else 0.0
            lr, lg, lb = (
                shading.lit(light, 0, nx, ny, nz),
                shading.lit(light, 1, nx, ny, nz),
                shading.lit(light, 2, nx, ny, nz),
            )
            flat = 0.282095 * light[0, 0]
            r = r * (shown + soft * (1 - shown)) * (lr + soft * (flat - lr)) + shine * key_rgb[0]
            g = g * shown * lg + shine * key_rgb[1]
            bl = bl * shown * lb + shine * key_rgb[2]
            for near in range(4 if together else 1):
                i, j = (top_row + near // 2, left_column + near % 2) if together else (row, column)
                colour[i, j, 0], colour[i, j, 1], colour[i, j, 2] = r, g, bl
                label[i, j] = mark


@njit(cache=True, nogil=True)
def vertex_normals(points: Floats, faces: Ints) -> Floats:  # pragma: no cover
    """``(n, 3)`` unit normals, weighted by the area of the triangles around."""
    out = np.zeros_like(points)
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ux, uy, uz = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1], points[b, 2] - points[a, 2]
        vx, vy, vz = points[c, 0] - points[a, 0], points[c, 1] - points[a, 1], points[c, 2] - points[a, 2]
        x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for corner in (a, b, c):
            out[corner, 0] += x
            out[corner, 1] += y
            out[corner, 2] += z
    for i in range(len(points)):
        length = np.sqrt(out[i, 0] ** 2 + out[i, 1] ** 2 + out[i, 2] ** 2) + np.float32(1e-9)
        out[i] /= length
    return out
