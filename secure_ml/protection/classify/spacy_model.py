"""Names, places and organisations by a spaCy pipeline that is installed as a package; nothing is ever downloaded.

Belongs here: loading by name, spaCy's words for entities, long texts. Must stay out: rules and dictionaries (names).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from threading import Lock
from types import MappingProxyType
from typing import Any

from secure_ml.policy.labels import Entity
from secure_ml.protection.classify.errors import LanguageModelUnusable
from secure_ml.protection.classify.span import Span

SCORE = 0.45
"""Score of what a model finds: surer than a capitalised stranger, less sure than the dictionary."""

_ENTITIES: Mapping[str, Entity] = MappingProxyType(
    {
        "PERSON": Entity.PERSON_NAME,
        "PER": Entity.PERSON_NAME,
        "persName": Entity.PERSON_NAME,
        "GPE": Entity.PLACE,
        "LOC": Entity.PLACE,
        "FAC": Entity.PLACE,
        "placeName": Entity.PLACE,
        "geogName": Entity.PLACE,
        "ORG": Entity.EMPLOYER,
        "orgName": Entity.EMPLOYER,
    }
)
_NOT_NEEDED = ("parser", "lemmatizer", "textcat", "textcat_multilabel", "entity_linker")
_LONGEST = 10_000
"""Characters that a pipeline is given at once; its memory grows with a text, and spaCy refuses a million."""


@dataclass(frozen=True)
class LanguageModel:
    """A loaded pipeline.

    Attributes:
        name: of the package.
        version: of the package, for records.
        turn: whose turn it is: a pipeline's zone of memory is of one reader at a time.
    """

    name: str
    version: str
    pipeline: Any
    turn: Lock = field(default_factory=Lock, repr=False, compare=False)

    def names(self, texts: Sequence[str]) -> list[list[Span]]:
        """Find the names in each text, in the order of the texts; the words of the texts are not kept."""
        pieces = [(piece, (index, start)) for index, text in enumerate(texts) for start, piece in _pieces(text)]
        found: list[list[Span]] = [[] for _ in texts]
        # Outside of a zone, a pipeline keeps every word that it ever saw.
        with self.turn, self.pipeline.memory_zone():
            for document, (index, start) in self.pipeline.pipe(pieces, as_tuples=True):
                for named in document.ents:
                    entity = _ENTITIES.get(named.label_)
                    if entity is not None:
                        first, last = start + named.start_char, start + named.end_char
                        found[index].append(Span(entity=entity, start=first, end=last, score=SCORE))
        return found


@cache
def language_model(name: str) -> LanguageModel:
    """Load a pipeline by the name of its package, once in a process.

    Args:
        name: such as ``en_core_web_sm``; never a path, so that a policy cannot load code from a folder.

    Raises:
        LanguageModelUnusable: spaCy or the package is not installed, does not load, or finds none of the entities.
    """
    try:
        import spacy
    except ImportError:
        raise LanguageModelUnusable(name, problem="spaCy is not installed", remedy="install secure_ml[spacy]") from None
    if not spacy.util.is_package(name):
        raise LanguageModelUnusable(
            name,
            problem="no such package is installed",
            remedy="install it beside secure_ml, or take it out of the policy",
        )
    try:
        pipeline = spacy.load(name, exclude=list(_NOT_NEEDED))
    except (OSError, ValueError, ImportError, KeyError, AttributeError, TypeError) as error:
        raise LanguageModelUnusable(
            name, problem=f"it does not load ({type(error).__name__})", remedy="install the version for your spaCy"
        ) from None
    if not any(_ENTITIES.keys() & set(labels) for labels in pipeline.pipe_labels.values()):
        raise LanguageModelUnusable(
            name,
            problem="it finds no names, places or organisations",
            remedy="name a pipeline that recognises entities",
        )
    return LanguageModel(name, str(pipeline.meta["version"]), pipeline)


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """A text in pieces of bounded length with where each begins, cut at a space where there is one."""
    start = 0
    while len(text) - start > _LONGEST:
        cut = text.rfind(" ", start + _LONGEST // 2, start + _LONGEST)
        end = start + _LONGEST if cut < 0 else cut + 1
        yield start, text[start:end]
        start = end
    yield start, text[start:]
