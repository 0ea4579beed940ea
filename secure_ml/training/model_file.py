"""Models as files: skops with a closed list of types, never pickle, and the facts as JSON beside them.

Belongs here: the stored form of a model and its digest. Must stay out: encryption, signing and places (the door).

Format `secure_ml.model/1` is described in docs/formats/model.md.
"""

import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secure_ml.training.encoding import Encoding
from secure_ml.training.errors import ModelFileError
from secure_ml.training.estimators.dp_additive import AdditiveModel
from secure_ml.training.estimators.hist_gradient_boosting import BoostedModel, LearnedColumn
from secure_ml.training.estimators.port import ModelFacts, TrainedModel

FORMAT = "secure_ml.model/1"
MODEL, FACTS = "model.skops", "facts.json"

TRUSTED = (
    "functools.partial",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.utils.validation.check_array",
)
"""All types beyond skops' own safe list that a file may hold: what scikit-learn's boosting is made of. skops checks the
function inside a partial against the same list."""


def save(model: TrainedModel) -> dict[str, bytes]:
    """A model as named files.

    Their bytes differ from save to save (archive timestamps); `content_digest` does not.

    Raises:
        ModelFileError: the model is of a kind that has no stored form.
    """
    import skops.io

    facts = {"format": FORMAT, "facts": model.facts.to_json()}
    content = {"format": FORMAT, "estimator": model.facts.estimator, "content": _pack(model)}
    return {MODEL: skops.io.dumps(content), FACTS: json.dumps(facts, sort_keys=True, indent=1).encode()}


def load(files: Mapping[str, bytes]) -> TrainedModel:
    """The model in `files`, as `save` made them. Authenticity is the caller's: verify the signature before.

    Raises:
        ModelFileError: a file is missing or damaged, of another format, or holds a type that is not trusted.
    """
    if set(files) != {MODEL, FACTS}:
        raise ModelFileError(f"a stored model consists of {MODEL} and {FACTS}; restore the version or train anew")
    content = _load_skops(files[MODEL])
    try:
        stated = json.loads(files[FACTS])
        if stated["format"] != FORMAT or content["format"] != FORMAT:
            raise ModelFileError(
                f"this model is not of the format {FORMAT}; use the version of the product that wrote it"
            )
        facts = _facts(stated["facts"])
        if content["estimator"] != facts.estimator:
            raise ModelFileError("facts and model do not belong together; restore the version or train anew")
        return _unpack(facts, content["content"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelFileError(
            f"the stored model is damaged ({type(error).__name__}); restore the version or train anew"
        ) from None


def content_digest(model: TrainedModel) -> str:
    """SHA-256 over what the model says and does: facts and every number in it, independent of the files' bytes."""
    digest = hashlib.sha256(FORMAT.encode())
    for part in _parts(model):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


def _load_skops(data: bytes) -> Any:
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        foreign = sorted(set(skops.io.get_untrusted_types(data=data)) - set(TRUSTED))
        if foreign:
            raise ModelFileError(f"the stored model holds types that are not trusted: {', '.join(foreign)}; not loaded")
        return skops.io.loads(data, trusted=list(TRUSTED))
    except UntrustedTypesFoundException:
        raise ModelFileError("the stored model holds types that are not trusted; not loaded") from None
    except (
        zipfile.BadZipFile, OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, ImportError, IndexError,
        NotImplementedError, RuntimeError, RecursionError,
    ) as error:  # fmt: skip
        raise ModelFileError(
            f"the stored model is damaged ({type(error).__name__}); restore the version or train anew"
        ) from None


def _pack(model: TrainedModel) -> dict[str, object]:
    if isinstance(model, AdditiveModel):
        return {
            "encoding": json.dumps(model.encoding.to_json()),
            "contributions": model.contributions,
            "intercept": model.intercept,
        }
    if isinstance(model, BoostedModel):
        columns = [[column.name, _listed(column.categories)] for column in model.columns]
        return {"columns": json.dumps(columns), "classifier": model.classifier}
    raise ModelFileError(f"a model of type {type(model).__name__} has no stored form")


def _unpack(facts: ModelFacts, content: Mapping[str, Any]) -> TrainedModel:
    if facts.estimator == "dp_additive":
        encoding = Encoding.from_json(json.loads(content["encoding"]))
        contributions = np.asarray(content["contributions"], dtype=np.float64)
        if contributions.shape != (encoding.width,) or not np.isfinite(contributions).all():
            raise ModelFileError(
                "the stored model's numbers do not fit its features; restore the version or train anew"
            )
        return AdditiveModel(encoding, contributions, float(content["intercept"]), facts)
    if facts.estimator == "hist_gradient_boosting":
        from sklearn.ensemble import HistGradientBoostingClassifier

        if not isinstance(content["classifier"], HistGradientBoostingClassifier):
            raise ModelFileError("the stored model holds another kind of classifier; restore the version or train anew")
        listed = json.loads(content["columns"])
        columns = tuple(LearnedColumn(str(n), None if c is None else tuple(map(str, c))) for n, c in listed)
        return BoostedModel(columns, content["classifier"], facts)
    raise ModelFileError(f"this version of the product knows no estimator {facts.estimator!r}")


def _facts(value: Mapping[str, Any]) -> ModelFacts:
    return ModelFacts(**{**value, "not_covered": tuple(value["not_covered"])})


def _parts(model: TrainedModel) -> list[bytes]:
    packed = _pack(model)
    classifier: Any = packed.pop("classifier", None)
    numbers = packed.pop("contributions", None)
    texts = json.dumps({"facts": model.facts.to_json(), **packed}, sort_keys=True).encode()
    parts = [texts] if numbers is None else [texts, *_array(np.asarray(numbers))]
    if classifier is not None:
        parts += _array(np.asarray(classifier._baseline_prediction, dtype=np.float64))
        for trees in classifier._predictors:
            for tree in trees:
                # Field by field: padding between fields is no content.
                parts += [part for name in tree.nodes.dtype.names for part in _array(tree.nodes[name])]
                parts += _array(tree.raw_left_cat_bitsets)
    return parts


def _array(array: NDArray[Any]) -> list[bytes]:
    plain = np.ascontiguousarray(array)
    return [f"{plain.dtype.str}{plain.shape}".encode(), plain.tobytes()]


def _listed(values: Sequence[str] | None) -> list[str] | None:
    return None if values is None else list(values)
