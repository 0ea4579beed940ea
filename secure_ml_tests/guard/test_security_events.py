"""The detectors over invented logs."""

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_ml.audit.event import Detail
from secure_ml.audit.log import AuditEntry
from secure_ml.guard.security_events import DETECTORS, Finding, Memory, examine
from secure_ml.guard.security_limits import Limits, WorkingHours

START = datetime(2031, 5, 5, 9, tzinfo=UTC)  # a Monday
ALICE, BOB, SENSOR = "person:alice", "person:bob", "service:sensor"
TABLE = "training/clinic/raw"
VERSION = "0123456789abcdef0123456789abcdef"


class Log:
    """An invented log: each entry a minute after the one before, unless told otherwise."""

    def __init__(self) -> None:
        self.entries: list[AuditEntry] = []
        self.now = START

    def add(
        self,
        action: str = "version.open",
        outcome: str = "allowed",
        *,
        actor: str | None = ALICE,
        run: str = "run-1",
        resource: str = TABLE,
        after: timedelta = timedelta(minutes=1),
        at: datetime | None = None,
        **details: Detail,
    ) -> "Log":
        self.now = at or self.now + after
        index = len(self.entries)
        entry = AuditEntry(index, self.now.isoformat(), action, resource, outcome, run, details, actor, None)
        self.entries.append(entry)
        return self

    def commit(self, rows: int) -> "Log":
        return self.add("version.commit", "done", version_id=VERSION, rows=rows)

    def read(self, columns: int, **how: object) -> "Log":
        names = [f"column_{i}" for i in range(columns)]
        return self.add("version.read", columns=names, **how)  # type: ignore[arg-type]

    def findings(self, kind: str | None = None, limits: Limits | None = None) -> list[Finding]:
        found = examine(self.entries, Memory(), limits or Limits())
        return [finding for finding in found if kind in (None, finding.kind)]


def entries_of(findings: Iterable[Finding]) -> list[tuple[int, ...]]:
    return [finding.entries for finding in findings]


def test_an_ordinary_day_has_no_findings() -> None:
    log = Log().add("source.read").add("version.write").commit(24_000)
    for _ in range(50):
        log.read(30).add("verdict.write").add("verdict.record", "done")
    assert log.findings() == []


def test_five_refusals_of_one_actor_within_ten_minutes_are_told_with_their_entries() -> None:
    log = Log().add()
    for run in range(5):
        log.add("version.open", "refused", run=f"run-{run}")
    (finding,) = log.findings()
    assert (finding.kind, finding.severity, finding.entries) == ("repeated_refusals", "warn", (1, 2, 3, 4, 5))
    assert finding.words == "5 refusals of one actor within 10 minutes"


def test_refusals_of_one_run_are_told_where_the_actor_was_erased() -> None:
    log = Log()
    for _ in range(5):
        log.add("version.open", "refused", actor=None)
    assert [finding.words for finding in log.findings()] == ["5 refusals of one run within 10 minutes"]


@pytest.mark.parametrize("apart", [timedelta(minutes=3), timedelta(hours=1)], ids=str)
def test_refusals_far_apart_are_not_told(apart: timedelta) -> None:
    log = Log()
    for _ in range(12):
        log.add("version.open", "refused", after=apart)
    assert log.findings() == []


def test_four_refusals_and_those_of_two_actors_are_not_told() -> None:
    log = Log().add(actor=BOB).add(actor=ALICE)
    for index in range(8):
        log.add("version.open", "refused", actor=(ALICE, BOB)[index % 2], run=f"run-{index}", after=timedelta(0))
    assert log.findings("repeated_refusals") == []


def test_refusals_that_go_on_are_told_again_by_the_next_five() -> None:
    log = Log()
    for _ in range(11):
        log.add("version.open", "refused", after=timedelta(seconds=1))
    assert entries_of(log.findings()) == [(0, 1, 2, 3, 4), (5, 6, 7, 8, 9)]


def reveals(count: int, *, apart: timedelta = timedelta(minutes=1), actor: str | None = ALICE) -> Log:
    log = Log()
    for _ in range(count):
        log.add("value.reveal", actor=actor, run="", after=apart)
        log.add("value.reveal", "done", actor=actor, run="", after=timedelta(0))
    return log


def test_ten_values_given_back_to_one_actor_within_an_hour_are_told() -> None:
    (finding,) = reveals(12).findings()
    assert (finding.kind, finding.severity, finding.entries) == ("repeated_reveals", "warn", tuple(range(1, 20, 2)))
    assert finding.words == "10 masked values were given back to one actor within 60 minutes"


def test_a_few_values_and_those_of_many_hours_are_not_told() -> None:
    assert reveals(9).findings() == []
    assert reveals(30, apart=timedelta(minutes=7)).findings() == []
    assert reveals(30, actor=None).findings() == []
    assert entries_of(reveals(3).findings("repeated_reveals", Limits(reveals=2))) == [(1, 3)]


def test_many_refused_runs_do_not_fill_the_memory() -> None:
    log, memory = Log(), Memory()
    for index in range(5_000):
        log.add("version.open", "refused", actor=None, run=f"run-{index}", after=timedelta(minutes=20))
    assert list(examine(log.entries, memory, Limits())) == []
    assert len(memory._refusals) <= 1_002


def days_of_reading(usual: int, last: int, *, days: int = 6, rows: int = 100_000, actor: str = ALICE) -> Log:
    """So many days of one actor, with so many columns of one table read on each, and another number on the last."""
    log = Log().commit(rows)
    for day in range(days):
        log.read(usual, actor=actor, at=START + timedelta(days=day, hours=1))
    for _ in range(4):
        log.read(last // 4, actor=actor, at=START + timedelta(days=days, hours=1))
    return log


def test_a_day_with_far_more_cells_than_the_actors_days_before_is_told_once() -> None:
    log = days_of_reading(10, 80)
    (finding,) = log.findings()
    assert (finding.kind, finding.severity) == ("bulk_decryption", "warn")
    assert finding.entries == (7, 8)
    assert finding.words == "one actor opened 4,000,000 cells in a day; up to 2,750,000 would be usual for it"


def test_a_day_within_the_usual_spread_is_not_told() -> None:
    assert days_of_reading(10, 24).findings() == []


def test_a_quiet_actors_busier_day_is_not_told_below_the_floor() -> None:
    assert days_of_reading(1, 40, rows=10_000).findings() == []


def test_before_there_are_days_to_compare_with_nothing_is_unusual() -> None:
    assert days_of_reading(1, 400, days=4).findings() == []
    assert days_of_reading(1, 400, days=5).findings("bulk_decryption") != []


def test_one_wild_day_before_does_not_hide_the_next() -> None:
    log = days_of_reading(10, 400)
    for day in (7, 8):
        log.read(400, at=START + timedelta(days=day, hours=1))
    assert len(log.findings("bulk_decryption")) == 3


def test_another_actors_days_are_not_compared_with() -> None:
    log = days_of_reading(10, 10)
    for _ in range(9):
        log.read(100, actor=SENSOR)
    assert log.findings("bulk_decryption") == []


def test_refused_reads_and_opened_manifests_are_no_decryption() -> None:
    log = days_of_reading(10, 0)
    for _ in range(9):
        log.add("version.read", "refused", columns=["a"] * 500).add("version.open", columns=["a"] * 500)
    assert log.findings("bulk_decryption") == []


def test_a_day_begins_at_midnight_of_the_time_zone() -> None:
    log = days_of_reading(10, 20)
    # 22:00 UTC is the next day in Kolkata; the two halves together would be too many.
    log.read(20, at=datetime.fromisoformat(log.entries[-1].time).replace(hour=22))
    assert log.findings("bulk_decryption") != []
    assert log.findings("bulk_decryption", Limits(time_zone="Asia/Kolkata")) == []


def test_a_new_actor_is_told_once_and_the_founder_and_the_services_before_are_not() -> None:
    log = Log().add(actor="service:first").add(actor=ALICE).add(actor=BOB).add(actor=BOB).add(actor=SENSOR)
    log.add(actor="service:kernel").add(actor=None).add("x", "refused", actor="unverified")
    assert [(f.entries, f.words) for f in log.findings("new_actor")] == [
        ((2,), "a person acts here for the first time"),
        ((4,), "a service acts here for the first time"),
    ]


OFFICE = Limits(
    time_zone="Asia/Kolkata",
    working_hours=WorkingHours(
        days=("monday", "tuesday", "wednesday", "thursday", "friday"), start=time(8), end=time(19)
    ),
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Kolkata")).astimezone(UTC)


@pytest.mark.parametrize(
    ("moment", "odd"),
    [
        ("2031-05-05 08:00", False),
        ("2031-05-05 18:59", False),
        ("2031-05-05 19:00", True),
        ("2031-05-05 07:59", True),
        ("2031-05-10 12:00", True),
    ],
)
def test_what_a_person_does_outside_working_hours_is_told(moment: str, odd: bool) -> None:
    found = Log().add("source.read", at=at(moment)).findings(limits=OFFICE)
    assert [finding.kind for finding in found] == ["odd_hours"] * odd
    if odd:
        assert f"{moment[-5:]} (Asia/Kolkata)" in found[0].words


def test_odd_hours_are_told_once_a_person_and_day() -> None:
    log = Log()
    for hour in (1, 2, 3):
        log.add("version.read", actor=ALICE, at=at(f"2031-05-05 0{hour}:00"))
        log.add("version.read", actor=BOB, after=timedelta(minutes=1))
    log.add("version.read", actor=ALICE, at=at("2031-05-06 01:00"))
    assert entries_of(log.findings("odd_hours", OFFICE)) == [(0,), (1,), (6,)]


@pytest.mark.parametrize(
    "quiet",
    [
        {"actor": SENSOR},
        {"actor": None},
        {"action": "lineage.read"},
        {"outcome": "refused"},
    ],
    ids=str,
)
def test_services_forgotten_persons_refusals_and_mere_looks_have_no_odd_hour(quiet: Mapping[str, str]) -> None:
    log = Log().add(**({"action": "source.read", "at": at("2031-05-05 03:00")} | quiet))  # type: ignore[arg-type]
    assert log.findings("odd_hours", OFFICE) == []


def test_without_working_hours_no_hour_is_odd() -> None:
    assert Log().add("source.read", at=at("2031-05-05 03:00")).findings() == []


def test_a_night_shift_ends_on_the_next_day() -> None:
    night = WorkingHours(days=("monday",), start=time(22), end=time(6))
    inside = [night.include(datetime(2031, 5, day, hour)) for day, hour in ((5, 23), (6, 5), (6, 6), (6, 23), (5, 5))]
    assert inside == [True, True, False, False, False]


@pytest.mark.parametrize("error", ["Tampered", "SignatureRefused", "KeyRefused", "AuditLogTampered"])
def test_what_is_not_authentic_is_an_error(error: str) -> None:
    (finding,) = Log().add("version.open", "failed", error=error).findings()
    assert (finding.kind, finding.severity, finding.entries) == ("failed_verification", "error", (0,))
    assert error in finding.words


def test_a_ticket_or_caller_that_proves_nothing_is_told() -> None:
    (finding,) = Log().add("version.open", "refused", actor="unverified").findings()
    assert (finding.kind, finding.severity) == ("failed_verification", "warn")


@pytest.mark.parametrize("error", ["ChecksNotPassed", "NothingThere", "HeadMoved", "StorageError"])
def test_what_merely_failed_is_not_told(error: str) -> None:
    assert Log().add("version.open", "failed", error=error).findings() == []


def test_an_attempt_to_reach_out_is_an_error() -> None:
    log = Log().add("egress.attempt", "refused", kind="connect", port=443, destination="public address")
    (finding,) = log.findings()
    assert (finding.kind, finding.severity) == ("egress_attempt", "error")
    assert finding.words == "code of a run tried to reach another machine: connect, public address, port 443"


def test_destroyed_keys_of_committed_data_are_told_and_those_of_an_abandoned_write_are_not() -> None:
    log = Log().add("key.destroy", "done", resource=VERSION).commit(10)
    log.add("key.destroy", "allowed", resource=VERSION).add("key.destroy", "done", resource=VERSION)
    log.add("key.destroy", "done", resource="secret/project/training/loans")
    assert entries_of(log.findings("key_destruction")) == [(3,), (4,)]


def test_a_key_that_a_rotation_has_replaced_is_no_loss_and_any_other_time_it_is() -> None:
    replaced = {"action": "key.destroy", "outcome": "done", "resource": "environment-key/training/1"}
    log = (
        Log()
        .add("key.rotate")
        .add(**replaced)
        .add("key.destroy", "done", resource="secret/x")
        .add("key.rotate", "done")
    )
    log.add(**replaced)
    assert entries_of(log.findings("key_destruction")) == [(2,), (4,)]


def test_an_older_key_store_that_was_brought_up_to_date_is_told() -> None:
    found = Log().add("key.recover").add("key.recover", "done").findings()
    assert [(finding.kind, finding.entries) for finding in found] == [("failed_verification", (0,))]


@pytest.mark.parametrize(("back", "told"), [(5, False), (6, True), (86_400, True)])
def test_a_clock_that_goes_back_is_told_once(back: int, told: bool) -> None:
    log = Log().add().add(after=timedelta(seconds=-back)).add().add()
    assert entries_of(log.findings()) == [(0, 1)] * told


def test_a_finding_names_no_actor() -> None:
    log = days_of_reading(10, 80)
    for _ in range(5):
        log.add("version.open", "refused")
    log.add("source.read", actor=BOB, at=at("2031-06-01 03:00"))
    found = log.findings(limits=OFFICE)
    assert {finding.kind for finding in found} >= {"bulk_decryption", "repeated_refusals", "new_actor", "odd_hours"}
    for finding in found:
        assert not {"alice", "bob"} & set(str(dataclasses.asdict(finding)).lower().replace(":", " ").split())


def test_a_finding_has_the_same_id_whenever_the_log_is_read() -> None:
    first, second = (days_of_reading(10, 80).add(actor=BOB).findings() for _ in range(2))
    ids = [finding.finding_id for finding in first]
    assert ids == [finding.finding_id for finding in second]
    assert len(set(ids)) == len(ids) == 2
    assert ids[0] != dataclasses.replace(first[0], kind="new_actor").finding_id


def test_a_missing_entry_stops_the_detectors() -> None:
    log = Log().add().add().add()
    with pytest.raises(ValueError, match="entry 1 must come next, not 2"):
        list(examine([log.entries[0], log.entries[2]], Memory(), Limits()))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["version.read", "version.commit", "egress.attempt", "key.destroy", "source.read"]),
            st.sampled_from(["allowed", "refused", "done", "failed"]),
            st.sampled_from([ALICE, BOB, SENSOR, "unverified", None]),
            st.integers(-100, 100_000),
        ),
        max_size=60,
    ),
    st.integers(1, 7),
)
def test_a_log_read_in_pieces_tells_the_same_as_one_read_whole(
    events: list[tuple[str, str, str | None, int]], size: int
) -> None:
    log = Log()
    for action, outcome, actor, seconds in events:
        log.add(action, outcome, actor=actor, after=timedelta(seconds=seconds), columns=["a"], rows=9**7)
    memory, found = Memory(), []
    for first in range(0, len(log.entries), size):
        found += examine(log.entries[first : first + size], memory, OFFICE)
    assert found == log.findings(limits=OFFICE)
    assert all(set(finding.entries) <= set(range(len(log.entries))) for finding in found)


def test_every_kind_has_a_detector_of_its_name() -> None:
    assert all(detect.__name__ == kind for kind, detect in DETECTORS.items())
