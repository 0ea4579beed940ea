"""Claim: the shipped policy holds k = 5 in every month with at most 8 % suppressed, and its model an AUC of 0.82.

The table of docs/anonymity.md: what a neighbour knows of an applicant, one attribute after the other and as fine as it
is kept; how many classes a month has, what share of its rows is suppressed for k = 5 and for k = 10, and the AUC on the
test side of the private model (ε 2, mean of three trainings) that learns from what is left. Every row is the shipped
policy with other treatments, on the shipped table, through the product's own masking, split and training. Suppression
takes from no feature where that is possible; a star says that it is not, so that ε would be that for `masked` only. The
AUC is that before it takes anything from one. Ours is the AUC of the shipped policy, the peer that of the same with all
seven attributes as they were delivered, of which suppression would leave nothing.
"""

import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from report import Result, report

from secure_ml.access.stages import SIDE, TEST, TRAIN
from secure_ml.policy.project import Policy
from secure_ml.protection.anonymity.counting import class_counter
from secure_ml.protection.anonymity.errors import AnonymityError
from secure_ml.protection.anonymity.suppression import choose_suppressed
from secure_ml.protection.mask.masking import Masking
from secure_ml.training.columns import outcome
from secure_ml.training.estimators.dp_additive import DpAdditiveEstimator
from secure_ml.training.estimators.port import PrivacyLoss
from secure_ml.training.split import split
from secure_ml.vault.dataset import Dataset, from_batches
from secure_ml.vault.source import open_source

FOLDER = Path(__file__).resolve().parents[1] / "secure_ml" / "defs" / "loan_approval"
MONTHS = [f"2024-{month:02}" for month in range(1, 13)]
FITS, MINIMUM_AUC, KEY = 3, 0.82, bytes(range(32))
CLAIM = "k = 5 holds in every month with at most 8 % suppressed, and the private model reaches an AUC of 0.82"

Attributes = dict[str, Any]
Change = Mapping[str, Mapping[str, Any]]

KEEP = {"kind": "keep"}
_SCHOOL = {"basic": ["below_secondary", "secondary"], "higher": ["diploma", "graduate", "postgraduate"]}
_FAITH = {"kind": "generalise_category", "groups": {"other": ["muslim", "christian", "sikh", "jain", "buddhist"]}}


def _feature(*categories: str) -> Mapping[str, Any]:
    return {"kind": "feature", "reason": "as it was delivered", "categories": list(categories)}


DISTRICT = {"pin_code": {"treatment": {"kind": "generalise_geography", "keep_first": 3}}}
BORN = {"date_of_birth": {"treatment": {"kind": "generalise_date", "to": "year"}}}
STATUS = {"marital_status": {"treatment": KEEP}}
WORK = {
    "occupation": {
        "treatment": KEEP,
        "use": _feature(
            "salaried_private", "salaried_public", "self_employed", "professional", "trader", "farmer", "teacher",
            "health_worker",
        ),
    }
}  # fmt: skip
SCHOOLING = {
    "education": {
        "treatment": {"kind": "generalise_category", "groups": _SCHOOL},
        "use": _feature("basic", "higher"),
    }
}
SCHOOL = {
    "education": {
        "treatment": KEEP,
        "use": _feature("below_secondary", "secondary", "diploma", "graduate", "postgraduate"),
    }
}
FAITH = {"religion": {"treatment": {**_FAITH, "stay": ["hindu"]}, "use": {"kind": "fairness"}}}
RELIGION = {"religion": {"treatment": KEEP, "use": {"kind": "fairness"}}}

KNOWN = ("gender", "date_of_birth", "pin_code", "marital_status", "occupation")
SHIPPED = "+ kind of work, two: as shipped"
ROWS: Mapping[str, tuple[tuple[str, ...], Change]] = {
    "gender": (KNOWN[:1], {}),
    "+ age in bands of 15 years": (KNOWN[:2], {}),
    "+ region, four": (KNOWN[:3], {}),
    "+ married or not": (KNOWN[:4], {}),
    SHIPPED: (KNOWN, {}),
    "as shipped, year of birth": (KNOWN, BORN),
    "as shipped, district of three digits": (KNOWN, DISTRICT),
    "as shipped, marital status of four": (KNOWN, STATUS),
    "as shipped, nine kinds of work": (KNOWN, WORK),
    "as shipped + religion, two": ((*KNOWN, "religion"), FAITH),
    "as shipped + education, two": ((*KNOWN, "education"), SCHOOLING),
    "all seven, as delivered": (
        (*KNOWN, "religion", "education"),
        {**BORN, **DISTRICT, **STATUS, **WORK, **RELIGION, **SCHOOL},
    ),
}


def policy(known: tuple[str, ...], change: Change, *, k: int, all_lose: bool) -> Policy:
    """The shipped policy with other treatments, for one way of suppressing."""
    attributes: Attributes = yaml.safe_load((FOLDER / "defs.yaml").read_text(encoding="utf-8"))["attributes"]
    for name, fields in change.items():
        attributes["columns"][name] |= fields
    features = {name for name in known if attributes["columns"][name]["use"]["kind"] == "feature"}
    losing = None if all_lose else [name for name in known if name not in features]
    attributes["anonymity"] = {
        "k": k, "quasi_identifiers": list(known), "suppress": True, "suppressed_columns": losing,
        "maximum_suppressed": 0.999,
    }  # fmt: skip
    attributes["gates"]["fairness"] = []
    return Policy.model_validate(attributes)


@cache
def raw(month: str) -> Dataset:
    """A month of the shipped table; its columns are the same for every variant."""
    declared = policy(*ROWS[SHIPPED], k=5, all_lose=False)
    read = open_source(declared, folder=FOLDER, partition=month, environ={})
    return from_batches(list(read.scan()), schema=read.schema, labels=read.labels)


def suppressed(known: tuple[str, ...], change: Change, *, k: int) -> tuple[float, float, float, bool]:
    """Mean and largest share of a month, mean number of its classes before, and whether features lose cells."""
    for all_lose in (False, True):
        asked = policy(known, change, k=k, all_lose=all_lose)
        plain = asked.model_copy(update={"anonymity": asked.anonymity.model_copy(update={"suppress": False})})
        shares, classes = [], []
        try:
            for month in MONTHS:
                counter = class_counter(asked, asked.anonymity)
                for batch in Masking(plain, key_for=lambda purpose: KEY).apply(raw(month)).scan(counter.reads):
                    counter.add(batch)
                found, _ = counter.classes()
                classes.append(len(found.subjects))
                shares.append(choose_suppressed(found, asked.anonymity).share)
        except AnonymityError:
            continue
        return float(np.mean(shares)), max(shares), float(np.mean(classes)), all_lose
    return 1.0, 1.0, float(np.mean(classes)), True


def auc(known: tuple[str, ...], change: Change) -> float:
    """Of the test side, mean of the trainings; each has noise of its own. No feature loses a cell."""
    from sklearn.metrics import roc_auc_score

    asked = policy(known, change, k=5, all_lose=False)
    asked = asked.model_copy(update={"anonymity": None})
    masked = {month: Masking(asked, key_for=lambda purpose: KEY).apply(raw(month)) for month in MONTHS}
    table = split(masked, asked, subject_key=KEY)
    batches = list(table.scan())
    train = from_batches([_side(b, TRAIN) for b in batches], schema=table.schema, labels=table.labels)
    test = [_side(batch, TEST) for batch in batches]
    settings = asked.training.estimator
    spent = PrivacyLoss(settings.epsilon, settings.delta)
    approved = np.concatenate([outcome(b, asked).to_numpy(zero_copy_only=False) for b in test]).astype(bool)
    figures = []
    for _ in range(FITS):
        model = DpAdditiveEstimator().fit(train, policy=asked, subject_key=KEY, privacy_loss=spent)
        figures.append(roc_auc_score(approved, np.concatenate([model.predict_probability(b) for b in test])))
    return float(np.mean(figures))


def _side(batch: Any, side: str) -> Any:
    import pyarrow.compute as pc

    return batch.filter(pc.equal(batch.column(SIDE), side))


def main(names: tuple[str, ...] = tuple(ROWS)) -> int:
    """Measures the rows of these names; 0 when the claim holds.

    Args:
        names: at least the first that is shipped, and the last.
    """
    table, found = [], {}
    for name in names:
        known, change = ROWS[name]
        mean, most, classes, all_lose = suppressed(known, change, k=5)
        figure = auc(known, change)
        stricter = suppressed(known, change, k=10)[1]
        found[name] = (most, figure)
        star = "*" if all_lose else ""
        table.append([name, f"{classes:.0f}", f"{mean:.1%}", f"{most:.1%}{star}", f"{stricter:.1%}", f"{figure:.3f}"])
    (most, ours), (_, peer) = found[SHIPPED], found[names[-1]]
    result = Result(
        CLAIM, round(ours, 4), round(peer, 4), "AUC", round(ours / peer, 4), MINIMUM_AUC,
        ours >= MINIMUM_AUC and most <= 0.08, {"suppressed": round(most, 4)},
    )  # fmt: skip
    header = ["a stranger knows", "classes", "suppressed, mean", "largest", "k = 10, largest", "AUC"]
    return report(result, header=header, rows=table)


if __name__ == "__main__":
    sys.exit(main())
