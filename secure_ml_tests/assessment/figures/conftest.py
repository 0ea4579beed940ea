"""What is written on a picture, for its tests."""

import matplotlib.text
import pytest


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that is drawn."""
    texts: list[str] = []
    drawn = matplotlib.text.Text.draw

    def record(self: matplotlib.text.Text, renderer: object, *args: object, **named: object) -> None:
        texts.append(self.get_text())
        drawn(self, renderer, *args, **named)

    monkeypatch.setattr(matplotlib.text.Text, "draw", record)
    return texts
