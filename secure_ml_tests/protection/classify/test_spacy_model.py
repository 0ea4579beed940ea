"""Language models: real spaCy pipelines, installed as packages, that find by rules what a trained one would learn."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from secure_ml.policy.labels import Entity
from secure_ml.protection.classify import spacy_model
from secure_ml.protection.classify.errors import ClassificationError, LanguageModelUnusable
from secure_ml.protection.classify.spacy_model import SCORE, language_model
from secure_ml.protection.classify.span import Span
from secure_ml_tests.protection.classify.language_models import install


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed packages."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    return tmp_path


def test_spacys_words_for_entities_become_ours_and_others_are_left(packages: Path) -> None:
    known = {"PERSON": ["qworx"], "GPE": ["zibble"], "ORG": ["frobnitz"], "DATE": ["spring"]}
    model = language_model(install(packages, known, name="en_words"))
    text = "Qworx of frobnitz left zibble in spring"
    (spans,) = model.names([text])
    assert [(span.entity, text[span.start : span.end], span.score) for span in spans] == [
        (Entity.PERSON_NAME, "Qworx", SCORE),
        (Entity.EMPLOYER, "frobnitz", SCORE),
        (Entity.PLACE, "zibble", SCORE),
    ]
    assert (model.name, model.version) == ("en_words", "1.2.3")


def test_words_of_texts_are_not_kept_by_the_pipeline(packages: Path) -> None:
    model = language_model(install(packages, {"PERSON": ["qworx"]}, name="en_memory"))
    model.names(["qworx came"])
    before = len(model.pipeline.vocab.strings)
    for number in range(20):
        assert [len(spans) for spans in model.names([f"zwibble{number} saw qworx"])] == [1]
    assert len(model.pipeline.vocab.strings) == before
    assert "zwibble7" not in model.pipeline.vocab.strings


def test_a_long_text_is_read_in_pieces_at_its_own_offsets(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spacy_model, "_LONGEST", 20)
    model = language_model(install(packages, {"PERSON": ["qworx"]}, name="en_pieces"))
    texts = ["", "qworx " * 30, "x" * 70 + " qworx", "nobody"]
    expected = [
        [],
        [Span(entity=Entity.PERSON_NAME, start=6 * n, end=6 * n + 5, score=SCORE) for n in range(30)],
        [Span(entity=Entity.PERSON_NAME, start=71, end=76, score=SCORE)],
        [],
    ]
    assert model.names(texts) == expected


@pytest.mark.timeout(60)
def test_a_cell_beyond_spacys_own_limit_is_read(packages: Path) -> None:
    model = language_model(install(packages, {"PERSON": ["qworx"]}, name="en_limit"))
    (spans,) = model.names([f"{'word ' * 210_000}qworx"])
    assert [(span.start, span.end) for span in spans] == [(1_050_000, 1_050_005)]


def test_nothing_is_downloaded(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a model opened a connection or started a program")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    language_model(install(packages, {"PERSON": ["qworx"]}, name="en_offline"))
    with pytest.raises(LanguageModelUnusable):
        language_model("en_core_web_absent")


@pytest.mark.parametrize("name", ["en_absent", "json", "/etc", "..", "en_core_web_sm/../../x"])
def test_what_is_not_an_installed_package_is_refused(name: str) -> None:
    with pytest.raises(LanguageModelUnusable, match=r"no such package|does not load"):
        language_model(name)


def test_a_pipeline_in_a_folder_is_refused_although_it_would_load(packages: Path) -> None:
    folder = packages / install(packages, {"PERSON": ["qworx"]}, name="en_folder")
    with pytest.raises(LanguageModelUnusable, match="no such package"):
        language_model(str(folder / "en_folder-1.2.3"))


def test_a_package_that_is_no_pipeline_is_refused() -> None:
    with pytest.raises(LanguageModelUnusable, match="'pytest': it does not load"):
        language_model("pytest")


def test_a_pipeline_that_finds_no_names_is_refused(packages: Path) -> None:
    with pytest.raises(LanguageModelUnusable, match="finds no names"):
        language_model(install(packages, {}, name="en_empty", ruler=False))
    with pytest.raises(LanguageModelUnusable, match="finds no names"):
        language_model(install(packages, {"DATE": ["spring"]}, name="en_dates"))


def test_without_spacy_the_remedy_is_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(LanguageModelUnusable, match=r"secure_ml\[spacy\]") as caught:
        language_model("en_without_spacy")
    assert isinstance(caught.value, ClassificationError)
