import pyarrow as pa
import pytest

from secure_ml.policy.labels import Entity
from secure_ml.protection.mask.canonical import canonical, has_shape


@pytest.mark.parametrize(
    ("entity", "written", "once"),
    [
        (Entity.SSN, ("123-45-6789", "123 45 6789", "123456789"), "123456789"),
        (Entity.NHS_NUMBER, ("943 476 5919", "943-476-5919"), "9434765919"),
        (Entity.AADHAAR_VIRTUAL_ID, ("2341 2341 2341 2341", "2341-2341-2341-2341"), "2341234123412341"),
        (Entity.ABHA_NUMBER, ("91-1234-5678-9012", "91 1234 5678 9012"), "91123456789012"),
        (Entity.ABHA_NUMBER, ("Ravi.K@abdm", "ravi.k@ABDM"), "ravi.k@abdm"),
        (Entity.UPI_ID, ("Ravi@OkSBI", "ravi@oksbi"), "ravi@oksbi"),
        (Entity.PASSPORT, ("z1 234567", "Z1234567"), "Z1234567"),
        (Entity.DRIVING_LICENCE, ("mh-12 2011 0012345", "MH1220110012345"), "MH1220110012345"),
        (Entity.VOTER_ID, ("abc 1234566", "ABC-1234566"), "ABC1234566"),
        (Entity.SWIFT_BIC, ("deut de ff", "DEUTDEFF"), "DEUTDEFF"),
        (Entity.MAC_ADDRESS, ("00-1b-44-11-3a-b7", "001b.4411.3ab7", "00:1B:44:11:3A:B7"), "001B44113AB7"),
        (Entity.URL, ("https://x.example/Ab",), "https://x.example/Ab"),
    ],
)
def test_what_is_written_in_several_ways_is_one_value(entity: Entity, written: tuple[str, ...], once: str) -> None:
    assert set(canonical(pa.array(written), entity).to_pylist()) == {once}


@pytest.mark.parametrize("entity", [Entity.SSN, Entity.NPI, Entity.MAC_ADDRESS])
def test_two_broken_values_do_not_become_one(entity: Entity) -> None:
    broken = ["unknown", "unknown 2", "n.a.", None]
    assert len(set(canonical(pa.array(broken), entity).to_pylist())) == len(broken)
    assert has_shape(pa.array(broken), entity).to_pylist() == [False, False, False, None]
