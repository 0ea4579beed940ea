import json
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from secure_ml.training.errors import ModelFileError
from secure_ml.training.estimators.port import PrivacyLoss, TrainedModel
from secure_ml.training.estimators.select import estimator_for
from secure_ml.training.model_file import FACTS, FORMAT, MODEL, content_digest, load, save
from secure_ml_tests.training.people import BOOSTING, KEY, PRIVATE, dataset, people, policy

KINDS = {"dp_additive": PRIVATE, "hist_gradient_boosting": BOOSTING}


def _model(kind: str, rows: int = 400) -> TrainedModel:
    rule = policy(estimator=KINDS[kind])
    loss = PrivacyLoss(Decimal(1), Decimal("1e-6")) if kind == "dp_additive" else None
    estimator = estimator_for(rule.training.estimator)
    return estimator.fit(dataset(people(rows)), policy=rule, subject_key=KEY, privacy_loss=loss)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_read_back_predicts_the_same_and_is_the_same(kind: str) -> None:
    model = _model(kind)
    again = load(save(model))
    batch = next(dataset([*people(50, seed=2), {**people(1)[0], "color": "new", "income": None}]).scan())
    np.testing.assert_array_equal(again.predict_probability(batch), model.predict_probability(batch))
    assert again.facts == model.facts
    assert again.explain() == model.explain()
    assert content_digest(again) == content_digest(model)


@pytest.mark.parametrize("kind", KINDS)
def test_the_digest_tells_models_apart(kind: str) -> None:
    assert content_digest(_model(kind, 400)) != content_digest(_model(kind, 380))


class Innocent:
    """A type that nobody declared trusted."""


def test_an_untrusted_type_is_refused_before_it_is_built() -> None:
    import skops.io

    foreign = {"format": FORMAT, "estimator": "dp_additive", "content": Innocent()}
    files = {**save(_model("dp_additive")), MODEL: skops.io.dumps(foreign)}
    with pytest.raises(ModelFileError, match=r"not trusted: .*Innocent"):
        load(files)


def test_a_function_hidden_in_a_trusted_partial_is_refused() -> None:
    import functools
    import os

    import skops.io

    hidden = {"format": FORMAT, "estimator": "dp_additive", "content": functools.partial(os.system, "true")}
    with pytest.raises(ModelFileError, match="not trusted"):
        load({**save(_model("dp_additive")), MODEL: skops.io.dumps(hidden)})


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x04N.", b"x" * 1000])
def test_what_is_no_model_is_refused(content: bytes) -> None:
    with pytest.raises(ModelFileError):
        load({**save(_model("dp_additive")), MODEL: content})


def _changed(facts: dict[str, Any], how: str) -> dict[str, Any]:
    if how == "format":
        return {**facts, "format": "secure_ml.model/99"}
    if how == "estimator":
        return {**facts, "facts": {**facts["facts"], "estimator": "hist_gradient_boosting"}}
    if how == "unknown field":
        return {**facts, "facts": {**facts["facts"], "more": 1}}
    return {"format": FORMAT}


@pytest.mark.parametrize("how", ["format", "estimator", "unknown field", "no facts"])
def test_facts_of_another_model_or_form_are_refused(how: str) -> None:
    files = save(_model("dp_additive"))
    with pytest.raises(ModelFileError):
        load({**files, FACTS: json.dumps(_changed(json.loads(files[FACTS]), how)).encode()})


def test_a_missing_file_is_refused() -> None:
    files = save(_model("dp_additive"))
    with pytest.raises(ModelFileError, match="consists of"):
        load({MODEL: files[MODEL]})
