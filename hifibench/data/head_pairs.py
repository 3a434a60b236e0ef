"""Who is swapped with whom among rendered heads, and the true swap of every pair."""

from __future__ import annotations

from hifibench.data import heads, partners
from hifibench.data.heads import Scene
from hifibench.records import ImageRef, Manifest, Pair
from hifibench.suite import HeadData

SHOTS_PER_PERSON = 64
"""How far the seeds of two people's shots lie apart."""


def plan(data: HeadData, seed: int, limit: int | None) -> Manifest:
    """Images and pairs of a run over rendered heads; partners as among portraits (`hifibench.data.partners.plan`).

    Every person has one picture that gives the face, and ``shots`` others, or clips, that receive one. The true swap of
    a pair is an image of the manifest too. A clip is a video of its own, its frames are pairs one after another; stills
    of one person together are one.

    Args:
        data: how many people, shots, pairs and frames.
        seed: of the suite, decides people and partners.
        limit: how many pairs (of clips: frames) to keep, the first ones; ``None`` for all.

    Raises:
        UsageError: the numbers do not fit together.
    """
    stills = data.pairs if limit is None else min(data.pairs, -(-limit // data.frames))
    plain = partners.plan(data.identities, data.shots, stills, data.split, seed)
    first = heads.SPLITS[data.split].start + seed * partners.SEEDS_PER_SUITE
    people = {ref.image: int(ref.identity[1:]) - seed * partners.SEEDS_PER_SUITE + first for ref in plain.images}

    images: dict[str, ImageRef] = {}

    def add(ref: ImageRef) -> str:
        images[ref.image] = ref
        return ref.image

    pairs: list[Pair] = []
    for ref in plain.images:
        view = int(ref.image.rpartition("_v")[2])
        for frame in range(data.frames if view else 1):
            add(_image(ref, people[ref.image], view, frame, clip=data.frames > 1 and view > 0))
    for pair in plain.pairs:
        for frame in range(data.frames):
            if limit is not None and len(pairs) == limit:
                break
            ending = f"_f{frame:03d}" if data.frames > 1 else ""
            source, target = images[pair.source], images[f"{pair.target}{ending}"]
            truth = ImageRef(
                image=f"{pair.pair}{ending}_truth",
                uri=heads.swapped(source.uri, target.uri),
                identity=source.identity,
                video=f"{pair.pair}_truth",
                frame=frame,
            )
            pairs.append(Pair(f"{pair.pair}{ending}", source.image, target.image, add(truth)))

    targets = [ref for ref in images.values() if not ref.image.endswith(("_truth", "_v0"))]
    return Manifest(
        images=tuple(images.values()),
        pairs=tuple(pairs),
        galleries={"frames": tuple(ref.image for ref in targets), "sources": plain.galleries["sources"]},
        # The code that draws them decides their pixels too, and a run must not be gone on with by another one's.
        origin=f"heads: version {heads.VERSION}, {heads.fingerprint()[:12]}; split {data.split}; true swaps known",
    )


def _image(ref: ImageRef, person: int, view: int, frame: int, clip: bool) -> ImageRef:
    seeds = heads.SPLITS[heads.split_of(person)]
    shot = seeds.start + ((person - seeds.start) * SHOTS_PER_PERSON + view) % len(seeds)
    uri = heads.uri(Scene(person, shot, frame=frame))
    return ImageRef(
        image=f"{ref.image}_f{frame:03d}" if clip else ref.image,
        uri=uri,
        identity=ref.identity,
        video=ref.image if clip else ref.video,
        frame=frame if clip else ref.frame,
        labels=heads.labels(uri),
    )
