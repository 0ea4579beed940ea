import os
import subprocess
import sys
from pathlib import Path

HEAVY = (
    "alembic", "cryptography", "dp_accounting", "fairlearn", "faker", "great_expectations", "matplotlib", "mlflow",
    "numpy", "opendp", "pandas", "presidio_analyzer", "presidio_anonymizer", "pyarrow", "scipy", "skops", "sklearn",
    "sqlalchemy",
)  # fmt: skip
"""Every code server and every step of a multiprocess run would wait for them, most for nothing."""


def imported_by(statement: str, home: Path) -> set[str]:
    """The heavy libraries that a fresh interpreter holds after a statement."""
    program = f"{statement}\nimport sys\nprint(*(set({HEAVY!r}) & sys.modules.keys()))"
    environ = {**os.environ, "SECURE_ML_HOME": str(home / "home"), "SECURE_ML_KEYS": str(home / "keys")}
    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_definitions_imports_no_heavy_library(tmp_path: Path) -> None:
    assert imported_by("from secure_ml.environments import training; assert training.resources", tmp_path) == set()


def test_importing_the_definitions_writes_nothing(tmp_path: Path) -> None:
    imported_by("import secure_ml.environments", tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_the_probe_sees_an_import(tmp_path: Path) -> None:
    assert "pyarrow" in imported_by("import secure_ml.vault.door", tmp_path)
