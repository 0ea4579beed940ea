"""The policy's reference page says everything, and is current."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from secure_ml.policy.model import PolicyModel
from secure_ml.policy.reference import main, render
from secure_ml.policy.treatments import Leaves, TreatmentModel

COMMITTED = Path(__file__).parents[2] / "docs" / "policy.md"
HINT = "run `python -m secure_ml.policy.reference --write`"


def _models(base: type[PolicyModel] = PolicyModel) -> Iterator[type[PolicyModel]]:
    for model in base.__subclasses__():
        if model.__module__.startswith("secure_ml.") and not model.__name__.startswith("_") and model.model_fields:
            yield model
        yield from _models(model)


def test_the_committed_page_is_current() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == render(), HINT


@pytest.mark.parametrize("model", sorted(set(_models()), key=lambda model: model.__name__), ids=lambda m: m.__name__)
def test_every_model_is_on_the_page_with_the_meaning_of_every_field(model: type[PolicyModel]) -> None:
    page = render()
    assert " ".join((model.__doc__ or "").split()) in page
    for name, field in model.model_fields.items():
        assert f"| `{name}` |" in page or f"`{name}: " in page
        if name not in {"kind", "expect"}:
            assert field.description, f"{model.__name__}.{name} has no description"
            assert field.description in page


def test_every_link_leads_to_a_heading() -> None:
    page = render()
    headings = {heading.lower().replace(" ", "-") for heading in re.findall(r"^## (.+)$", page, re.MULTILINE)}
    links = set(re.findall(r"\]\(#([^)]+)\)", page))
    assert links
    assert links <= headings


def test_bounds_defaults_and_words_are_told() -> None:
    page = render()
    assert "| `validation` | number | `0.15` | > 0, < 0.5 |" in page
    assert "| `identifiability` | word | required | `none`, `quasi`, `pseudonym`, `direct` |" in page
    assert "`kind: partial_mask`. " in page
    assert "`expect: matches`. " in page


@pytest.mark.parametrize("treatment", TreatmentModel.__subclasses__(), ids=lambda model: model.__name__)
def test_every_treatment_tells_its_effect_on_the_label(treatment: type[TreatmentModel]) -> None:
    (kind,) = get_args(treatment.model_fields["kind"].annotation)
    told = next(line for line in render().splitlines() if line.startswith(f"`kind: {kind}`. "))
    assert ("A data steward can have one value back." in told) is treatment.reversible
    assert ("labelled a pseudonym" in told) is (treatment.leaves is Leaves.PSEUDONYM)


def test_check_fails_on_a_stale_page_and_write_mends_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "policy.md"
    assert main(["--check", str(page)]) == 1
    page.write_text(render() + "a word by hand\n", encoding="utf-8")
    assert main(["--check", str(page)]) == 1
    assert "--write" in capsys.readouterr().err
    assert main(["--write", str(page)]) == 0
    assert main(["--check", str(page)]) == 0
