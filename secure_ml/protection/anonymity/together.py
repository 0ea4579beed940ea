"""What several rows and versions tell together of one subject, by the token that is the same in all of them.

Belongs here: that count. Must stay out: bounds on it, since none holds once versions are out (docs/anonymity.md).

Who knows in which versions somebody is, and what they share in each, can follow the token from class to class, and asks
who else is in all of the same ones (the intersection attack of Ganta, Kasiviswanathan and Smith 2008, within one
installation). Each class may have k subjects, and their intersection one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from secure_ml.protection.anonymity.combinations import combination_keys
from secure_ml.protection.anonymity.counting import Classes


@dataclass(frozen=True)
class Together:
    """Subjects of all versions. Figures only.

    Attributes:
        subjects: how many there are.
        in_several: of them, how many are in more than one class of a version, or in more than one version.
        fewer_than_k: how many share all their classes with fewer than k - 1 others.
    """

    subjects: int
    in_several: int
    fewer_than_k: int


def together(versions: Sequence[Classes], *, k: int) -> Together | None:
    """Counts the subjects of all versions by the classes that each is in; None where rows have no subject.

    Args:
        versions: one or more versions of one table, or of its partitions, with tokens of one key.
        k: subjects that are to share what is told of each.
    """
    subjects, classes, first = [np.empty(0, np.int64)], [np.empty(0, np.int64)], 0
    for version in versions:
        if not len(version.subjects):
            continue
        if version.members.subject is None:
            return None
        subjects.append(version.members.subject)
        classes.append(version.of_member + first)
        first += len(version.subjects)
    pairs = np.unique(np.stack([np.concatenate(subjects), np.concatenate(classes)]), axis=1)
    if not pairs.shape[1]:
        return Together(0, 0, 0)
    starts = np.flatnonzero(np.append(True, pairs[0, 1:] != pairs[0, :-1]))
    keys = combination_keys([pa.array(pairs[1])])
    # A sum of the classes' keys is the same for the same classes, whatever their order (see combinations).
    of_subject = np.add.reduceat(np.frombuffer(keys.buffers()[1], np.uint64).reshape(-1, 2), starts)
    _, same, count = np.unique(of_subject, axis=0, return_inverse=True, return_counts=True)
    several = np.diff(starts, append=pairs.shape[1]) > 1
    return Together(len(starts), int(several.sum()), int((count[same.ravel()] < k).sum()))
