"""The whole demonstration without a network: what it says, and that it had none."""

import errno

import pytest

from secure_ml.cli.summary import summarise
from secure_ml_tests.fakes.demo_run import PROJECT, DemoRun
from secure_ml_tests.fakes.needed import need

pytestmark = pytest.mark.journey


@pytest.fixture
def offline_run(demo_run: DemoRun) -> DemoRun:
    need(demo_run.network is not None, demo_run.without_namespace)
    return demo_run


def test_the_demonstration_had_no_network_but_loopback(offline_run: DemoRun) -> None:
    assert offline_run.network == {"interfaces": ["lo"], "ipv4": errno.ENETUNREACH, "routes": 0}
    assert offline_run.exit_code == 0


def test_the_demonstration_ends_well_and_its_last_page_says_what_was_signed(demo_run: DemoRun) -> None:
    assert demo_run.exit_code == 0, demo_run.stderr
    signed = summarise(demo_run.installation(), PROJECT, environment="training")
    assert (signed.rows_raw, signed.partitions) == (24_000, 12)
    for words in (
        f"24,000 rows in 12 partitions, of which {signed.rows_masked:,} are used",
        f"dp_additive, {signed.guarantee}",
        signed.model_card,
        "make ui",
        "does not protect against",
    ):
        assert words in demo_run.stdout
    assert signed.guarantee == "differentially private"
    assert float(signed.figures["auc"]) >= 0.82


def test_the_demonstration_warns_of_the_planted_bias_and_of_nothing_else(demo_run: DemoRun) -> None:
    (warning,) = [line for line in demo_run.stderr.splitlines() if "check" in line]
    assert "demographic_parity_difference by gender" in warning
    assert "Traceback" not in demo_run.stdout + demo_run.stderr


def test_the_demonstration_writes_to_its_home_and_keys_only(demo_run: DemoRun) -> None:
    elsewhere = [path for place in ("user", "work", "tmp") for path in (demo_run.root / place).rglob("*")]
    assert [str(path.relative_to(demo_run.root)) for path in elsewhere if path.is_file()] == []
