"""What codes say of photos: labels that look wrong, photos unlike their class, and whether the test folder is alike."""

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float, Int

from unfreeze.advisor.shortcuts import paired
from unfreeze.core.findings import Finding, finding
from unfreeze.core.photo_checks import LabelCheck, Regained, Suspect
from unfreeze.core.seeding import generator
from unfreeze.core.wording import count, percent, percent_range, points
from unfreeze.data.splits import whole_round
from unfreeze.data.tasks import Task
from unfreeze.metrics.code_map import comparable, drawn_rows
from unfreeze.metrics.label_quality import HeldOut, LabelQuality, doubted, label_quality, neighbour_votes
from unfreeze.metrics.outliers import class_distances, far_ones
from unfreeze.metrics.separation import separation_within_classes
from unfreeze.probes.held_out import held_out_scores

MOST_ROWS = 2500  # of each side, drawn class by class, for what needs no more
MOST_VOTERS = 10_000  # images up to which neighbours vote on labels: each is compared with each
FOLDS = 5
TOLD_APART = 0.6  # what at least the area under the curve must be, at 99 %: small differences do not matter
_Codes = Float[np.ndarray, "image code"]


def quality_of_labels(task: Task, codes: _Codes, held_out: Iterable[HeldOut]) -> LabelQuality:
    """How probable the labels of the train part are to classifiers that have not learned from them.

    Args:
        task: Labels and groups.
        codes: Of every image, the last ones, by which its neighbours vote too.
        held_out: What each classifier says of the images of each split.

    Returns:
        Of every image; nothing is known of the test part.
    """
    rows, votes = task.train_rows, list(held_out)
    if len(rows) <= MOST_VOTERS:
        unit = comparable(codes[rows])
        shares = neighbour_votes(unit, task.labels[rows], task.units[rows], class_count=task.class_count)
        given = shares[np.arange(len(rows)), task.labels[rows]]
        votes.append(HeldOut(rows=rows, called=shares.argmax(axis=1), probability=given))
    return label_quality(votes, task.labels, class_count=task.class_count)


def judge_labels(
    task: Task, codes: _Codes, held_out: Iterable[HeldOut], *, classifiers: int
) -> tuple[LabelCheck, Int[np.ndarray, " suspect"]]:
    """Which labels of the train part look wrong.

    Args:
        task: Labels and groups.
        codes: As for `quality_of_labels`.
        held_out: The same.
        classifiers: How many kinds of them there are, without the neighbours.

    Returns:
        The suspects, the least probable first, and their rows.
    """
    quality = quality_of_labels(task, codes, held_out)
    is_doubted, ranked = doubted(quality, task.labels), quality.ranked()
    suspects = ranked[is_doubted[ranked]]
    found = tuple(
        Suspect(
            image=task.image_set.images[row].name,
            given=int(task.labels[row]),
            called=int(quality.called[row]),
            probability=round(float(quality.probability[row]), 5),
            agree=round(float(quality.agree[row]), 5),
        )
        for row in suspects.tolist()
    )
    by_neighbours = len(task.train_rows) <= MOST_VOTERS
    return LabelCheck(judged=len(ranked), classifiers=classifiers + by_neighbours, suspects=found), suspects


def regained(task: Task, codes: _Codes, suspects: Int[np.ndarray, " suspect"], *, seed: int) -> Regained | None:
    """What leaving out suspects does to a linear classifier, tested by folds on all others.

    Args:
        task: Labels and groups.
        codes: Of every image.
        suspects: Their rows.
        seed: Of the folds, and of the images that are drawn where there are many.

    Returns:
        The gain; None where nothing is left to learn from.
    """
    rng = generator(seed, "regained")
    rows = task.train_rows[drawn_rows(task.labels[task.train_rows], MOST_ROWS, rng=rng)]
    is_suspect = np.isin(rows, suspects)
    folds = min(FOLDS, len(np.unique(task.units[rows])))
    if not is_suspect.any() or is_suspect.all() or folds < 2:
        return None
    labels = task.labels[rows]
    sides = whole_round(labels, [task.groups[row] for row in rows], count=folds, rng=rng)
    without = np.where(is_suspect, -1, labels)
    right = [
        held_out_scores(codes[rows], learned, sides, class_count=task.class_count).argmax(axis=1) == labels
        for learned in (labels, without)
    ]
    before, after = (one[~is_suspect] for one in right)
    return Regained(
        left_out=int(is_suspect.sum()),
        tested=int((~is_suspect).sum()),
        before=float(before.mean()),
        after=float(after.mean()),
        gain=paired(before, after, task.units[rows][~is_suspect], wider=1.959964),
    )


def label_finding(check: LabelCheck) -> Finding | None:
    """UF125: labels that look wrong, and what leaving them out is worth.

    Args:
        check: What was found.

    Returns:
        The finding; None without a suspect.
    """
    if not check.suspects:
        return None
    number = len(check.suspects)
    have = "looks" if number == 1 else "look"
    sentence = (
        f"{count(number, 'label')} of {check.judged:,} {have} wrong: {count(check.classifiers, 'kind')} of classifiers "
        "that have not learned from these photos mostly call them something else."
    )
    if check.regained is not None:
        sentence += f" {regained_sentence(check.regained)}"
    advice = (
        "Look at them, the least probable first: some are right and only hard. `unfreeze inspect --deep --fix` writes "
        "a list without them."
    )
    return finding("UF125", sentence, advice, images=(suspect.image for suspect in check.suspects))


def regained_sentence(found: Regained) -> str:
    """What leaving out suspects gave."""
    gain = found.gain
    return (
        f"On {found.tested:,} others, a linear classifier that learns without them is right on {percent(found.after)}, "
        f"with them on {percent(found.before)} ({points(found.after - found.before)}; 95 % interval "
        f"{points(gain.low)} to {points(gain.high)})."
    )


def outlier_finding(task: Task, codes: _Codes, suspects: Sequence[int], *, seed: int) -> Finding | None:
    """UF126: photos of the train part unlike all others of their class.

    Args:
        task: Labels.
        codes: Of every image.
        suspects: Rows whose labels look wrong, which is said elsewhere.
        seed: Of the images that are drawn where there are many.

    Returns:
        The finding, the farthest photos first; None where there are none.
    """
    most = 2 * MOST_ROWS
    rows = task.train_rows[drawn_rows(task.labels[task.train_rows], most, rng=generator(seed, "outliers"))]
    labels = task.labels[rows]
    distances = class_distances(comparable(codes[rows]), labels)
    far = far_ones(distances, labels) & ~np.isin(rows, suspects)
    places = np.flatnonzero(far)[np.argsort(-distances[far], kind="stable")]
    if not len(places):
        return None
    of = f"of {len(rows):,} drawn from all" if len(rows) < len(task.train_rows) else f"of {len(rows):,}"
    sentence = (
        f"{count(len(places), 'photo')} {of} {'is' if len(places) == 1 else 'are'} unlike all others of the same "
        "class, by the codes of the nearest."
    )
    advice = "Look whether they belong there: a blank or broken photo, another subject, another camera."
    return finding("UF126", sentence, advice, images=task.names(rows[places]))


def apart_finding(task: Task, codes: _Codes, *, seed: int) -> Finding | None:
    """UF129: a classifier tells the test folder from the photos to learn from.

    Args:
        task: Labels and groups.
        codes: Of every image.
        seed: Of the folds, and of the images that are drawn where there are many.

    Returns:
        The finding, with the photos of the test folder that give it away, the surest first; None where there is no
        test folder, and where it is alike.
    """
    rng = generator(seed, "test against train")
    parts = [
        rows[drawn_rows(task.labels[rows], MOST_ROWS, rng=rng)]
        for rows in (task.train_rows, task.test_rows)
        if len(rows)
    ]
    if len(parts) < 2:
        return None
    rows = np.concatenate(parts)
    is_test = np.repeat([False, True], [len(part) for part in parts])
    folds = min(FOLDS, *(len(np.unique(task.units[part])) for part in parts))
    if folds < 2:
        return None
    side = is_test.astype(np.int64)
    sides = whole_round(side, [task.groups[row] for row in rows], count=folds, rng=rng)
    scores = held_out_scores(codes[rows], side, sides, class_count=2)[:, 1]
    apart = separation_within_classes(scores, is_test, task.labels[rows], level=0.99)
    if apart is None or apart.interval.low <= TOLD_APART:
        return None
    sentence = (
        "Your own test folder is told from the photos to learn from: of a photo of each, of the same class, a linear "
        f"classifier of their codes knows in {percent(apart.auc)} of pairs which is which (99 % interval "
        f"{percent_range(apart.interval)}); 50.0 % would be chance."
    )
    advice = (
        "Look at the photos that give it away, the surest first: another camera, light, background or time. What is "
        "measured on the folder is for photos like those."
    )
    surest = np.flatnonzero(is_test)[np.argsort(-scores[is_test], kind="stable")]
    return finding("UF129", sentence, advice, images=task.names(rows[surest]))
