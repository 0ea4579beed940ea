import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

Module = Callable[[str], ModuleType]


@pytest.fixture
def classification(benchmark_module: Module) -> ModuleType:
    return benchmark_module("classification")


def test_a_small_table_is_written_classified_cell_by_cell_and_timed_beside_the_peer(
    classification: ModuleType, tmp_path: Path
) -> None:
    path = tmp_path / "small.parquet"
    measured, speed = classification.measure_million(path, 300), classification.measure_speed(path, 2)

    assert (measured["rows"], measured["cells"]) == (300, 6_000)
    assert 0 < measured["before_mb"] <= measured["peak_mb"]
    assert (speed["rows"], speed["peer_rows"]) == (300, 2)
    assert 0 < speed["peer"] < speed["ours"]


def test_the_peer_works_offline_and_calls_what_it_knows_by_our_words(
    classification: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr("socket.socket.connect", refuse)
    columns = {"a": ["234123412346", "none"], "b": ["ravi@mail.example.in", "27AAPFU0939F1ZV"]}
    best = classification.best_results(classification.presidio(), columns)
    assert [[entity for entity, _ in column] for column in best] == [["aadhaar", ""], ["email", "gstin"]]


def test_known_columns_differ_in_name_and_are_made_anew_the_same(classification: ModuleType) -> None:
    known = list(classification.known_columns())
    assert len({column.name for column in known}) == len(known) > 200
    assert sum(column.entity == "none" for column in known) > 90
    for column in known[:3]:
        assert classification.cells(column.maker, 5, seed=1) == classification.cells(column.maker, 5, seed=1)


def test_columns_count_as_right_wrong_and_missed(classification: ModuleType) -> None:
    scores = classification.score(["pan", "pan", "pan", "", "card"], ["pan", "card", "", "pan", "card"])
    pan, card = scores["pan"], scores["card"]
    assert (pan.right, pan.wrong, pan.missed, pan.columns) == (1, 1, 2, 3)
    assert (card.right, card.wrong, card.missed) == (1, 1, 0)
    assert (pan.precision, pan.recall) == (0.5, 1 / 3)
    assert pan.f2 == pytest.approx(5 * 0.5 * (1 / 3) / (4 * 0.5 + 1 / 3))
    assert classification.total(scores.values()) == classification.Score(2, 2, 2)
    assert (classification.Score().precision, classification.Score().recall, classification.Score().f2) == (1, 1, 1)


def test_a_few_cells_of_each_known_column_go_through_both(classification: ModuleType) -> None:
    quality = classification.measure_quality(2)
    assert (quality.columns, quality.rows) == (len(list(classification.known_columns())), 2)
    assert quality.both(quality.ours).columns == quality.both(quality.peer).columns > 50


def _quality(classification: ModuleType, right: int) -> object:
    score = classification.Score
    return classification.Quality(
        ours={"pan": score(right, 1, 4 - right), "income": score(2, 0, 0)},
        peer={"pan": score(3, 1, 1), "income": score(0, 0, 2)},
        columns=9,
        rows=5,
        threshold=0.4,
    )


@pytest.mark.parametrize(
    ("seconds", "ours", "right", "code"),
    [(60.0, 100.0, 4, 0), (60.1, 100.0, 4, 1), (60.0, 99.9, 4, 1), (60, 100, 3, 1)],
)
def test_the_claim_is_about_time_speed_and_quality(
    benchmark_module: Module,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
    ours: float,
    right: int,
    code: int,
) -> None:
    classification = benchmark_module("classification")
    monkeypatch.setattr(classification, "write_table", lambda path, rows: None)
    whole = {"seconds": seconds, "peak_mb": 5.0, "before_mb": 1.0}
    monkeypatch.setattr(classification, "measure_million", lambda path, rows: whole)
    speed = {"ours": ours, "peer": 1.0, "rows": 7, "peer_rows": 2}
    monkeypatch.setattr(classification, "measure_speed", lambda path, rows: speed)
    monkeypatch.setattr(classification, "measure_quality", lambda rows: _quality(classification, right))

    assert classification.main(rows=7) == code
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["seconds"], told["ratio"], told["peer_f2"]) == (seconds, ours, 0.75)


def test_the_figures_are_written_between_the_pages_markers(classification: ModuleType, tmp_path: Path) -> None:
    page, quality = tmp_path / "classification.md", _quality(classification, 4)
    classification.write_page(quality, page)
    begun = page.read_text(encoding="utf-8")
    assert begun.startswith("# Classification\n\n")
    assert "| pan | 4 | 0.80 | 1.00 | 0.95 | 0.75 | 0.75 | 0.75 |" in begun
    assert "| income | 2 | 1.00 | 1.00 | 1.00 | - | - | - |" in begun

    page.write_text(begun.replace("# Classification\n", "# Own words\n") + "\nMore.\n", encoding="utf-8")
    classification.write_page(quality, page)
    assert page.read_text(encoding="utf-8") == begun.replace("# Classification\n", "# Own words\n") + "\nMore.\n"

    page.write_text("# No place\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no place"):
        classification.write_page(quality, page)
