from pathlib import Path

import pytest

from secure_ml.keys.errors import KeyServiceError
from secure_ml.keys.pkcs11_uri import Pkcs11Uri

WHOLE = "pkcs11:token=my%20token;serial=5b1f;manufacturer=m;model=v2;object=root;type=secret-key?module-path=/lib/m.so"


def test_a_uri_names_token_key_module_and_pin() -> None:
    uri = Pkcs11Uri.parse(WHOLE + "&pin-source=file:/run/pin%20file")
    assert dict(uri.token) == {"token": "my token", "serial": "5b1f", "manufacturer": "m", "model": "v2"}
    assert uri.label == "root"
    assert uri.module == Path("/lib/m.so")
    assert uri.pin_file == Path("/run/pin file")


@pytest.mark.parametrize(
    ("named", "pin_file"),
    [("", None), ("&pin-source=/run/pin", "/run/pin"), ("&pin-source=file:///run/pin", "/run/pin")],
)
def test_the_pin_may_lie_where_the_environment_says(named: str, pin_file: str | None) -> None:
    assert Pkcs11Uri.parse(WHOLE + named).pin_file == (Path(pin_file) if pin_file else None)


@pytest.mark.parametrize(
    "pin", ["&pin-value=1234-secret", "&PIN-VALUE=1234-secret", "&pin%2dvalue=1234-secret", "&pin-value"]
)
def test_a_pin_in_the_uri_is_refused_and_not_repeated(pin: str) -> None:
    with pytest.raises(KeyServiceError, match="readable by too many") as refused:
        Pkcs11Uri.parse(WHOLE + pin)
    assert "1234" not in str(refused.value)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "pkcs11:",
        "file:/srv/keys",
        "pkcs11:token=t?module-path=/m.so",
        "pkcs11:object=o?module-path=/m.so",
        "pkcs11:token=t;object=o",
        "pkcs11:token=t;object=o?module-name=m",
        "pkcs11:token=t;object=o?module-path=m.so",
        "pkcs11:token=t;object=o?module-path=/m.so&pin-source=pin",
        "pkcs11:token=t;object=o?module-path=/m.so&pin-source=%7C/bin/askpass",
        "pkcs11:token=t;object=o?module-path=/m.so&pin-source=file:pin",
        "pkcs11:token=t;object=o?module-path=/m.so&module-path=/other.so",
        "pkcs11:token=t;token=u;object=o?module-path=/m.so",
        "pkcs11:token=t;object=?module-path=/m.so",
        "pkcs11:token=t;object=o;id=%01?module-path=/m.so",
        "pkcs11:token=t;object=o;x-vendor=1?module-path=/m.so",
        "pkcs11:token=t;object=o;type=private?module-path=/m.so",
        "pkcs11:token=t;object=%ff?module-path=/m.so",
        "pkcs11:token=t;object=a%00b?module-path=/m.so",
        "pkcs11:token=t;object=a b?module-path=/m.so",
        "pkcs11:token=t;object=o?module-path=/m.so#fragment",
        "pkcs11:token=t;object=o;?module-path=/m.so",
    ],
)
def test_what_is_incomplete_unknown_or_said_twice_is_refused(uri: str) -> None:
    with pytest.raises(KeyServiceError):
        Pkcs11Uri.parse(uri)
