"""Working on each distinct text once, where that is less work.

Belongs here: the choice. Must stay out: the work.
"""

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

_LOOKED_AT, _SHARE = 2**12, 16
_REPEATED = 0.5


def by_distinct(texts: pa.Array, work: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """What `work` makes of each text; null stays null.

    Whether texts repeat is judged by the first few, since finding the distinct ones costs as much as a cipher.

    Args:
        texts: a column.
        work: given texts without nulls, gives as many results, each of which depends on its own text only.
    """
    looked_at = texts[: min(_LOOKED_AT, -(-len(texts) // _SHARE))]
    if pc.count_distinct(looked_at).as_py() <= _REPEATED * len(looked_at):
        found = texts.dictionary_encode()
        return work(found.dictionary).take(found.indices)
    if not texts.null_count:
        return work(texts)
    made = work(texts.drop_null())
    return pc.replace_with_mask(pa.nulls(len(texts), made.type), texts.is_valid(), made)
