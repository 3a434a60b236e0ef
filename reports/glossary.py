"""What the words of a table mean, for a reader who sees one for the first time.

A metric that is not listed here (a plugin's) is explained by its title, its unit and its direction alone.
"""

from __future__ import annotations

from reports.records import Metric

KEY_METRICS = ("id_retrieval", "pose", "shape", "expression")
"""What the first table shows, where measured: the columns of HifiFace (IJCAI 2021), Table 1, and the expression."""

DETECTION = ("forgery_auc", "forgery_ap", "forgery_eer")
"""The columns of HifiFace's Table 2, once for each forgery detector."""

METRICS = {
    "id_retrieval": "How often the nearest gallery face to the swap shows the person whose face was to be put on. "
    "Gallery 'sources': the images that gave the faces; 'frames': every sampled original frame.",
    "id_cosine": "How alike the swap and its source face look to a recogniser (1: the same, about 0: strangers).",
    "id_leak": "How alike the swap and its target face still look to a recogniser: what is left of the person who "
    "should have gone.",
    "pose": "How far the head of the swap is turned away from the head of the target: length of the difference in "
    "yaw, pitch and roll, or one angle alone where its name says so.",
    "shape": "How far the shape of the swapped face is from the shape of the source face: in the identity coefficients "
    "of a face model (sd), or between the points of a mesh without pose and expression (mm). Numbers of different "
    "estimators do not compare.",
    "expression": "How far the expression of the swap is from that of the target, in the coefficients of an estimator. "
    "Numbers of different estimators do not compare.",
    "forgery_auc": "How well a forgery detector tells swapped frames from original ones: the area under its ROC curve. "
    "50 is chance, 100 a detector that is never deceived; lower is the more realistic swap.",
    "forgery_ap": "How well a forgery detector tells swapped frames from original ones: its average precision with as "
    "many swaps as originals.",
    "forgery_eer": "How often a forgery detector errs where it errs as often on swaps as on originals; 50 is chance.",
    "landmarks": "How far the landmarks of the swapped face are from those of the target, in % of the distance between "
    "its eyes.",
    "gaze": "How far the eyes of the swap look away from where those of the target look.",
    "lighting": "How unlike the shading of the swapped face is to that of the target.",
    "skin_tone": "How far the skin's colour is from that of the target, or of the source, as its name says.",
    "occlusion": "Whether what hides the target's face still hides the swapped one: the mean difference there.",
    "fid": "How far the swapped faces as a set are from the originals as a set, in the features of Inception.",
    "kid": "How far the swapped faces as a set are from the originals as a set, in the features of Inception, without "
    "the bias that the FID has in small sets.",
    "truth": "How far the swap is from the true swap, which is known of rendered heads.",
    "jitter": "How much the landmarks of the swapped video tremble beyond the motion of the target itself.",
    "flicker": "How much the colour of the swapped face changes from frame to frame beyond the target's own changes.",
    "id_variance": "How much the identity of the swapped face varies over the frames of one video.",
    "background": "Whether the picture outside the face is left alone, as it should be: its mean difference from the "
    "target (L1), or its likeness to it (SSIM).",
}
"""Explanation by a metric's name without its brackets."""

REFERENCES = {
    "target-copy": "the target as it is, with no swap at all: identity at chance, pose and expression perfect",
    "source-paste": "the source face laid onto the target: identity near the ceiling, pose wrong",
    "re-encode": "the target through JPEG: the noise floor of every measurement",
    "truth": "the true swap, where it is known: the best that can be reached",
}
"""What a reference row is for."""


def base(metric: str) -> str:
    """``pose[mediapipe,yaw]`` -> ``pose``."""
    return metric.partition("[")[0]


def words(metric: str) -> tuple[str, ...]:
    """``pose[mediapipe,yaw]`` -> ``('mediapipe', 'yaw')``: the protocol that a metric's name carries."""
    return tuple(word.strip() for word in metric.partition("[")[2].rstrip("]").split(",") if word.strip())


def explain(metric: Metric) -> str:
    """What a metric says and which way is better, in one or two sentences."""
    better = "Higher is better." if metric.direction == "up" else "Lower is better."
    return f"{METRICS.get(base(metric.name), metric.title + '.')} {better}"
