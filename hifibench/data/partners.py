"""Who is swapped with whom among generated people."""

from __future__ import annotations

import numpy as np

from hifibench.data.seeds import SPLITS, uri
from hifibench.errors import UsageError
from hifibench.records import ImageRef, Manifest, Pair
from hifibench.registry import did_you_mean

SEEDS_PER_SUITE = 100_000
"""Seeds a plan may take; the next suite seed begins that much further on, so no two suite seeds share a person."""


def plan(identities: int, views: int, pairs: int, split: str, seed: int, origin: str = "") -> Manifest:
    """Images and pairs of a run over generated people.

    Every identity has one source photograph, view 0, and ``views`` sampled frames, views 1 and up, which together
    count as its video. The pairs come in laps. In a lap every identity is the target once and the source once:
    identities stand shuffled in a circle, and each is given the face of the one ``shift`` places further on. Laps
    differ in the view or in the shift, so no pair comes twice and everybody is a target equally often (to within one,
    in a lap that is not finished). Pair k does not depend on ``pairs``, so a smaller plan is the beginning of a
    larger one; identities in no pair are left out.

    Args:
        identities: people, 2 to 100,000.
        views: frames of each, at least 1.
        pairs: at least 1, at most ``identities * views * (identities - 1)``.
        split: ``train``, ``validation`` or ``test``.
        seed: of the suite, 0 to 9999; decides people and partners.
        origin: what the manifest says of how its images come about.

    Raises:
        UsageError: an argument is out of its range.
    """
    _check(identities, views, pairs, split, seed)
    first = SPLITS[split].start + seed * SEEDS_PER_SUITE
    rng = np.random.default_rng([seed, identities])
    circle = rng.permutation(identities)
    shifts = 1 + rng.permutation(identities - 1)

    def name(person: int) -> str:
        return f"p{seed * SEEDS_PER_SUITE + person:06d}"

    def image(person: int, view: int) -> str:
        return f"{name(person)}_v{view}"

    made: list[Pair] = []
    sources: set[int] = set()
    targets: set[int] = set()
    for k in range(pairs):
        lap, place = divmod(k, identities)
        # For a fixed view the shifts of its laps are all different, so (view, shift) never comes twice.
        view, turn = lap % views, lap % views + lap // views
        target = int(circle[place])
        source = int(circle[(place + shifts[turn % (identities - 1)]) % identities])
        sources.add(source)
        targets.add(target)
        # FaceForensics++ names a swap by its target, then its source.
        label = f"{name(target)}_{name(source)}_v{view + 1}"
        made.append(Pair(pair=label, source=image(source, 0), target=image(target, view + 1)))

    people = sorted(sources | targets)
    return Manifest(
        images=tuple(
            ImageRef(
                image=image(person, view),
                uri=uri(first + person, view),
                identity=name(person),
                # The source photograph is a still: a video of its own.
                video=name(person) if view else image(person, 0),
                frame=max(view - 1, 0),
            )
            for person in people
            for view in range(views + 1)
        ),
        pairs=tuple(made),
        galleries={
            "frames": tuple(image(person, view) for person in people for view in range(1, views + 1)),
            "sources": tuple(image(person, 0) for person in sorted(sources)),
        },
        origin=origin,
    )


def _check(identities: int, views: int, pairs: int, split: str, seed: int) -> None:
    if split not in SPLITS:
        raise UsageError(f"There is no split {split!r}.{did_you_mean(split, list(SPLITS))}")
    seeds = len(SPLITS[split]) // SEEDS_PER_SUITE
    if not 0 <= seed < seeds:
        raise UsageError(f"The seed of a run over generated portraits is 0 to {seeds - 1}, not {seed}.")
    if not 2 <= identities <= SEEDS_PER_SUITE:
        raise UsageError(f"A swap is between two people: give 2 to {SEEDS_PER_SUITE} identities, not {identities}.")
    if views < 1:
        raise UsageError(f"Every identity needs a frame to be swapped into: give views of at least 1, not {views}.")
    most = identities * views * (identities - 1)
    if not 1 <= pairs <= most:
        raise UsageError(
            f"{identities} identities with {views} frames each make 1 to {most} different pairs, not {pairs}. "
            "Ask for a number in between, or for more identities."
        )
