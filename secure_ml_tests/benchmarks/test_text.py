import gzip
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Module = Callable[[str], ModuleType]
TEXTS = [
    ("My name is {PERSON}", {"PERSON": "Tamara Olsen"}),
    (
        "Write to {EMAIL_ADDRESS} or call {PHONE_NUMBER}",
        {"EMAIL_ADDRESS": "t@mail.example", "PHONE_NUMBER": "98765 43210"},
    ),
    ("She lives at {ADDRESS} in {LOCATION}", {"ADDRESS": "12 Lake Road", "LOCATION": "Chicago"}),
    ("Nothing of anybody stands here", {}),
]


def labelled(folder: Path) -> Path:
    """A file as presidio-research writes them, each text under an even and an odd template."""
    made = []
    for number, (template, values) in enumerate([*TEXTS, *TEXTS, ("Template two: {PERSON}", {"PERSON": "Qworx"})]):
        text = template.format(**values)
        spans = [
            {"entity_type": entity, "start_position": text.index(value), "end_position": text.index(value) + len(value)}
            for entity, value in values.items()
        ]
        made.append({"full_text": text, "spans": spans, "template_id": number // len(TEXTS)})
    path = folder / "texts.json.gz"
    path.write_bytes(gzip.compress(json.dumps(made).encode()))
    return path


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_both_sides_are_measured_on_the_texts_nobody_tuned_on(
    benchmark_module: Module, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = benchmark_module("text")
    page = tmp_path / "page.md"
    page.write_text(f"before\n{text.BEGIN}\nold\n{text.END}\nafter\n", encoding="utf-8")
    monkeypatch.setattr(text, "PAGE", page)
    text.main(["--texts", str(labelled(tmp_path)), "--write"])
    told = said(capsys)
    assert (told["claim"], told["holds"]) == (text.BETTER, True)
    assert (told["texts"], told["model"], told["worse_in"]) == (len(TEXTS), "blank", "nothing")
    assert told["f2_ours"] == 1
    assert told["f2_peer"] < 1
    assert min(told["ours"], told["peer"]) > 0
    lines = page.read_text(encoding="utf-8").splitlines()
    assert (lines[0], lines[1], lines[-2], lines[-1]) == ("before", text.BEGIN, text.END, "after")
    assert any(line.startswith("| person | 2 | 1.000, 0.000, **0.000** | 1.000, 1.000, **1.000** |") for line in lines)
    assert any(line.startswith("| card | 0 | no wrong | no wrong |") for line in lines)


def test_without_texts_nothing_is_measured(
    benchmark_module: Module, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SECURE_ML_TEXTS", raising=False)
    assert benchmark_module("text").main([]) == 0
    told = said(capsys)
    assert told["ours"] is None
    assert "SECURE_ML_TEXTS" in told["skipped"]


def test_a_word_counts_where_a_span_covers_a_part_of_it(benchmark_module: Module) -> None:
    text = benchmark_module("text")
    given = [text.Text("ab cd ef gh", [("person", 0, 5), ("date", 9, 11)])]
    score = text.scores(given, [[("person", 4, 7), ("title", 9, 10)]])
    assert score["person"] == text.Score(right=1, wrong=1, missed=1)
    assert score["date"] == text.Score(missed=1)
    assert score["any"] == text.Score(right=1, wrong=1, missed=1)


@pytest.mark.parametrize(
    ("right", "wrong", "missed", "f2"), [(1, 0, 0, 1.0), (0, 0, 0, 1.0), (0, 1, 1, 0.0), (4, 4, 1, 0.714)]
)
def test_f2_is_five_p_r_by_four_p_and_r(
    benchmark_module: Module, right: int, wrong: int, missed: int, f2: float
) -> None:
    score = benchmark_module("text").Score(right, wrong, missed)
    assert score.f2 == pytest.approx(f2, abs=0.001)
    if right:
        precision, recall = score.precision, score.recall
        assert score.f2 == pytest.approx(5 * precision * recall / (4 * precision + recall))


@pytest.mark.parametrize(
    ("mine", "speed", "code"),
    [((9, 0, 0), 51, 0), ((9, 0, 0), 49, 1), ((7, 0, 2), 51, 1)],
    ids=["holds", "slow", "worse"],
)
def test_the_claim_is_about_every_entity_and_the_speed(
    benchmark_module: Module,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    mine: tuple[int, int, int],
    speed: float,
    code: int,
) -> None:
    text = benchmark_module("text")
    made = {"any": text.Score(1, 0, 0), "phone": text.Score(8, 0, 1)}
    monkeypatch.setattr(text, "peer", lambda *_: text.Measured({**made, "card": text.Score(1, 0, 9)}, 1.0, 1.0))
    monkeypatch.setattr(
        text,
        "ours",
        lambda *_: text.Measured({**made, "phone": text.Score(*mine), "card": text.Score(9, 0, 1)}, speed, 1.0),
    )
    assert text.main(["--texts", str(labelled(tmp_path)), "--model", "en_some"]) == code
    told = said(capsys)
    assert told["holds"] is not bool(code)
    assert told["worse_in"] == ("phone" if mine[0] < 8 else "nothing")
