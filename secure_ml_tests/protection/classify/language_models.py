"""A small spaCy pipeline, saved as a package would be installed: rules for entities in place of a trained model."""

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import spacy

_LOADER = """
from pathlib import Path

from spacy.util import load_model_from_init_py


def load(**overrides):
    return load_model_from_init_py(__file__, **overrides)
"""
_METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: 1.2.3\n"


def install(folder: Path, known: Mapping[str, Sequence[str]], *, name: str = "en_rules", ruler: bool = True) -> str:
    """Writes a package whose pipeline finds these phrases, by spaCy's word for their entity; returns its name.

    Args:
        folder: a folder of `sys.path`.
        known: phrases by label.
        name: of the package; a name is loaded once in a process, so each test with other phrases takes another.
        ruler: whether the pipeline recognises entities at all.
    """
    pipeline = spacy.blank("en")
    if ruler:
        patterns = [{"label": label, "pattern": phrase} for label, phrases in known.items() for phrase in phrases]
        pipeline.add_pipe("entity_ruler", config={"phrase_matcher_attr": "LOWER"}).add_patterns(patterns)
    pipeline.meta.update({"lang": "en", "name": name.partition("_")[2], "version": "1.2.3"})
    package = folder / name
    package.mkdir()
    (package / "__init__.py").write_text(_LOADER, encoding="utf-8")
    pipeline.to_disk(package / f"{pipeline.meta['lang']}_{pipeline.meta['name']}-1.2.3")
    (package / "meta.json").write_text(
        (package / f"en_{name.partition('_')[2]}-1.2.3" / "meta.json").read_text(), "utf-8"
    )
    distribution = folder / f"{name}-1.2.3.dist-info"
    distribution.mkdir()
    (distribution / "METADATA").write_text(_METADATA.format(name=name), encoding="utf-8")
    importlib.invalidate_caches()
    return name
