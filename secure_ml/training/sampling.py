"""At most one row of each subject, chosen by a keyed hash.

Belongs here: the step that makes a row's presence the same as a subject's. Must stay out: splitting and learning.

The choice looks at the subject's own rows only and never at their position: a position would move when another person
leaves, and with it the chosen row of everybody after them.
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from secure_ml.training.columns import check_key, keyed_hashes


def one_row_each(
    subjects: pa.Array, codes: NDArray[np.int32], positive: NDArray[np.bool_], *, key: bytes
) -> NDArray[np.intp]:
    """The positions, ascending, of one row for each subject: the one with the lowest keyed hash of subject and content.

    Rows of one subject with the same content are the same to the model, so any of them may be taken. Rows without a
    subject are not taken: nobody could say whose presence they show.

    Args:
        subjects: pseudonym of each row.
        codes: features x rows, what the model sees of each row.
        positive: outcome of each row.
        key: the project's subject key, at least 32 bytes.
    """
    check_key(key)
    encoded = (
        subjects.combine_chunks().dictionary_encode()
        if isinstance(subjects, pa.ChunkedArray)
        else subjects.dictionary_encode()
    )
    index = np.asarray(encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)
    counts = np.bincount(index[index >= 0], minlength=len(encoded.dictionary))
    several = np.flatnonzero((index >= 0) & (counts[np.maximum(index, 0)] > 1)) if counts.size else np.empty(0, np.intp)
    rank = np.zeros(index.size, dtype=np.uint64)
    names = encoded.dictionary.cast(pa.string()).to_pylist()
    content = np.vstack([codes[:, several], positive[several][None].astype(np.int32)]).T.astype("<i4", order="C")
    messages = (
        names[index[row]].encode() + b"\x00" + seen.tobytes() for row, seen in zip(several, content, strict=True)
    )
    rank[several] = keyed_hashes(messages, key=key, purpose=b"secure_ml one row a subject v1")
    order = np.lexsort((rank, index))
    order = order[index[order] >= 0]
    first = np.ones(order.size, dtype=bool)
    first[1:] = index[order][1:] != index[order][:-1]
    return np.sort(order[first])
