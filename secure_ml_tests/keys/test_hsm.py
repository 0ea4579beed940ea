import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pkcs11
import pytest
from pkcs11 import Attribute, KeyType, MechanismFlag

from secure_ml.keys import hsm, pkcs11_token
from secure_ml.keys.errors import KeyNotFound, KeyRefused, KeyServiceError, KeyServiceUnavailable
from secure_ml.keys.hsm import Pkcs11KeyService
from secure_ml.keys.service import KeyService
from secure_ml_tests.keys.contract import CONTEXT, KEY, KeyServiceContract

PIN = "correct-pin-for-tests"


def _softhsm() -> Path:
    known = (
        "/usr/lib/softhsm",
        "/usr/lib64/softhsm",
        "/usr/lib64/pkcs11",
        "/usr/local/lib/softhsm",
        "/opt/homebrew/lib",
    )
    for folder in known:
        if (Path(folder) / "libsofthsm2.so").exists():
            return Path(folder) / "libsofthsm2.so"
    pytest.fail("SoftHSM is missing; Debian: apt-get install softhsm2")


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of tokens of SoftHSM; the module reads where it lies once a process."""
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder}/tokens\nlog.level = ERROR\n")
    (folder / "pin").touch(mode=0o600)
    (folder / "pin").write_text(PIN + "\n")
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")
    yield folder
    if before is None:
        del os.environ["SOFTHSM2_CONF"]
    else:
        os.environ["SOFTHSM2_CONF"] = before


class Token:
    """One token made for a test, and the URI of a root key in it."""

    def __init__(self, folder: Path, label: str) -> None:
        self.folder, self.label = folder, label
        _softhsm2_util("--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "officer-of-tests")
        _start_the_module_anew()

    def uri(self, more: str = "", label: str = "root%20key") -> str:
        return f"pkcs11:token={self.label};object={label}?module-path={_softhsm()}{more}"

    def service(self, *, create: bool = True, label: str = "root%20key") -> Pkcs11KeyService:
        environ = {"SECURE_ML_PKCS11_PIN_FILE": str(self.folder / "pin")}
        return Pkcs11KeyService.from_uri(self.uri(label=label), environ=environ, create=create)

    def session(self) -> pkcs11.Session:
        token = pkcs11.lib(str(_softhsm())).get_token(token_label=self.label)
        try:
            return token.open(rw=True, user_pin=PIN)
        except pkcs11.UserAlreadyLoggedIn:
            return token.open(rw=True)


def _start_the_module_anew() -> None:
    # It looks for tokens when it starts, and forgets sessions when it ends.
    library = pkcs11.lib(str(_softhsm()))
    library.finalize()
    library.initialize()


def _softhsm2_util(*arguments: str) -> None:
    subprocess.run(("softhsm2-util", *arguments), check=True, capture_output=True, timeout=60)


@pytest.fixture
def make_token(tokens: Path) -> Iterator[Callable[[], Token]]:
    made: list[Token] = []

    def make() -> Token:
        made.append(Token(tokens, f"t{len(made)}"))
        return made[-1]

    yield make
    for token in made:
        _softhsm2_util("--delete-token", "--token", token.label)


@pytest.fixture
def token(make_token: Callable[[], Token]) -> Token:
    return make_token()


class TestContract(KeyServiceContract):
    @pytest.fixture
    def service(self, token: Token) -> KeyService:
        return token.service()

    @pytest.fixture
    def reopen(self, service: KeyService, token: Token) -> Callable[[], KeyService]:
        return lambda: token.service(create=False)

    @pytest.fixture
    def other(self, token: Token) -> KeyService:
        return token.service(label="another")


def test_the_root_key_is_made_in_the_token_and_cannot_be_read_or_changed(token: Token) -> None:
    token.service()
    session = token.session()
    [key] = session.get_objects({Attribute.LABEL: "root key"})
    for attribute in (Attribute.LOCAL, Attribute.PRIVATE, Attribute.ALWAYS_SENSITIVE, Attribute.NEVER_EXTRACTABLE):
        assert key[attribute] is True
    for attribute in (Attribute.WRAP, Attribute.UNWRAP, Attribute.DERIVE, Attribute.SIGN):
        assert key[attribute] is False
    with pytest.raises(pkcs11.AttributeSensitive):
        key[Attribute.VALUE]
    with pytest.raises(pkcs11.PKCS11Error):
        key[Attribute.EXTRACTABLE] = True
    with pytest.raises(pkcs11.PKCS11Error):
        key.copy({Attribute.EXTRACTABLE: True, Attribute.SENSITIVE: False})[Attribute.VALUE]


def test_a_root_key_is_made_only_where_it_is_asked_for(token: Token) -> None:
    with pytest.raises(KeyNotFound, match="no key of the label"):
        token.service(create=False)
    made = token.service()
    assert token.service().key_id == made.key_id == token.service(create=False).key_id
    assert made.key_id.startswith("pkcs11:root%20key:")


ANOTHER_PROCESS = """
import os, sys
from secure_ml.keys.hsm import Pkcs11KeyService
service = Pkcs11KeyService.from_uri(sys.argv[1], environ=os.environ, create=False)
if sys.argv[2] == "unwrap":
    print(service.unwrap(bytes.fromhex(sys.argv[3]), context=sys.argv[4].encode()).hex())
while sys.argv[2] == "rotate until killed":
    print(service.rotate(), flush=True)
if sys.argv[2] == "rotate":
    print(service.rotate())
"""


def _process(token: Token, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-c", ANOTHER_PROCESS, token.uri(f"&pin-source={token.folder}/pin"), *arguments)


def test_another_process_opens_what_this_one_wrapped_and_rotates_for_both(token: Token) -> None:
    service = token.service()
    wrapped = service.wrap(KEY, context=CONTEXT)
    unwrap = _process(token, "unwrap", wrapped.hex(), CONTEXT.decode())
    assert subprocess.check_output(unwrap, text=True, timeout=60).strip() == KEY.hex()
    made = subprocess.check_output(_process(token, "rotate"), text=True, timeout=60).strip()
    assert service.key_id == made
    assert service.unwrap(wrapped, context=CONTEXT) == KEY


def test_a_rotation_that_is_killed_loses_no_key(token: Token) -> None:
    service = token.service()
    made = []
    for delay in (0.0, 0.01, 0.02, 0.03, 0.05):
        made.append(service.wrap(KEY, context=CONTEXT))
        rotating = subprocess.Popen(_process(token, "rotate until killed"), stdout=subprocess.PIPE)
        assert rotating.stdout is not None
        rotating.stdout.readline()
        time.sleep(delay)
        rotating.send_signal(signal.SIGKILL)
        rotating.communicate(timeout=60)
        assert [service.unwrap(wrapped, context=CONTEXT) for wrapped in made] == [KEY] * len(made)
        assert service.rotate() == service.key_id


USES: dict[str, Callable[[KeyService, bytes], object]] = {
    "wrap": lambda service, wrapped: service.wrap(KEY, context=CONTEXT),
    "unwrap": lambda service, wrapped: service.unwrap(wrapped, context=CONTEXT),
    "name": lambda service, wrapped: service.key_id,
    "rotate": lambda service, wrapped: service.rotate(),
}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("logged_out", [False, True])
@pytest.mark.parametrize("name", USES)
def test_a_lost_session_is_opened_and_logged_in_anew(name: str, logged_out: bool, token: Token) -> None:
    service = token.service()
    wrapped = service.wrap(KEY, context=CONTEXT)
    _start_the_module_anew()
    if logged_out:
        token.session().close()
    assert USES[name](service, wrapped)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("logged_out", [False, True])
def test_a_session_lost_before_decrypting_is_not_taken_for_altered_bytes(
    logged_out: bool, token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = token.service()
    _start_the_module_anew()
    logged_in = token.session()
    wrapped = service.wrap(KEY, context=CONTEXT)
    look_up = Pkcs11KeyService._versions
    lose = iter((logged_in.close if logged_out else _start_the_module_anew,))

    def lost_after_the_first_look(self: Pkcs11KeyService, keys: Sequence[pkcs11_token.TokenKey]) -> object:
        versions = look_up(self, keys)
        next(lose, lambda: None)()
        return versions

    monkeypatch.setattr(Pkcs11KeyService, "_versions", lost_after_the_first_look)
    assert service.unwrap(wrapped, context=CONTEXT) == KEY


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("name", USES)
def test_a_token_that_is_gone_is_unavailable_until_it_is_back(name: str, stopped: bool, token: Token) -> None:
    service = token.service()
    wrapped = service.wrap(KEY, context=CONTEXT)
    (token.folder / "tokens").rename(token.folder / "gone")
    try:
        if stopped:
            pkcs11.lib(str(_softhsm())).finalize()
        with pytest.raises(KeyServiceUnavailable):
            USES[name](service, wrapped)
        with pytest.raises(KeyServiceUnavailable):
            token.service()
    finally:
        (token.folder / "gone").rename(token.folder / "tokens")
    _start_the_module_anew()
    assert service.unwrap(wrapped, context=CONTEXT) == KEY


def test_a_wrong_pin_is_tried_once_and_a_corrected_file_opens(token: Token, tmp_path: Path) -> None:
    pin = tmp_path / "pin"
    pin.touch(mode=0o600)
    wrong = "wrong-pin-of-tests"
    pin.write_text(wrong)
    environ = {"SECURE_ML_PKCS11_PIN_FILE": str(pin)}
    with pytest.raises(KeyServiceError, match="refuses the PIN") as refused:
        Pkcs11KeyService.from_uri(token.uri(), environ=environ, create=True)
    assert wrong not in str(refused.value)
    # Were it tried again, it would be taken: it is the PIN now.
    session = token.session()
    session.set_pin(PIN, wrong)
    session.close()
    with pytest.raises(KeyServiceError, match="does not try it again"):
        Pkcs11KeyService.from_uri(token.uri(), environ=environ, create=True)
    session = pkcs11.lib(str(_softhsm())).get_token(token_label=token.label).open(rw=True, user_pin=wrong)
    session.set_pin(wrong, PIN)
    session.close()
    pin.write_text(PIN)
    Pkcs11KeyService.from_uri(token.uri(), environ=environ, create=True)


@pytest.mark.parametrize(
    ("flag", "says"),
    [(pkcs11.TokenFlag.USER_PIN_FINAL_TRY, "none is tried"), (pkcs11.TokenFlag.USER_PIN_LOCKED, "is locked")],
)
def test_the_last_try_before_a_lock_is_left_to_a_person(
    flag: pkcs11.TokenFlag, says: str, token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    # SoftHSM never locks, so that its token is shown with the flag of one that does.
    find = pkcs11_token.Pkcs11Token._find

    class Flagged:
        flags, serial = flag, b"flagged"

        def __init__(self, token: pkcs11.Token) -> None:
            self._token = token

        def open(self, *, user_pin: str | None = None) -> pkcs11.Session:
            assert user_pin is None, "the PIN was tried"
            return self._token.open()

    monkeypatch.setattr(pkcs11_token.Pkcs11Token, "_find", lambda self: Flagged(find(self)))
    with pytest.raises(KeyServiceError, match=says):
        token.service()


def test_a_pin_that_others_can_read_is_refused(token: Token, tmp_path: Path) -> None:
    pin = tmp_path / "pin"
    pin.write_text(PIN)
    pin.chmod(0o644)
    with pytest.raises(KeyServiceError, match="chmod 600"):
        Pkcs11KeyService.from_uri(token.uri(f"&pin-source=file:{pin}"), environ={}, create=True)
    for environ in ({}, {"SECURE_ML_PKCS11_PIN_FILE": "pin"}, {"SECURE_ML_PKCS11_PIN_FILE": ""}):
        with pytest.raises(KeyServiceError, match="absolute path"):
            Pkcs11KeyService.from_uri(token.uri(), environ=environ, create=True)


FOREIGN: dict[str, tuple[int, dict[Attribute, object]]] = {
    "extractable": (256, {Attribute.EXTRACTABLE: True}),
    "readable": (256, {Attribute.SENSITIVE: False}),
    "usable without a PIN": (256, {Attribute.PRIVATE: False}),
    "too short": (128, {}),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_key_that_is_fit_for_no_root_key_stops_everything(name: str, token: Token) -> None:
    service = token.service()
    wrapped = service.wrap(KEY, context=CONTEXT)
    bits, template = FOREIGN[name]
    safe = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.PRIVATE: True}
    token.session().generate_key(
        KeyType.AES,
        bits,
        id=b"\x7f" * 16,
        label="root key",
        store=True,
        capabilities=MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT,
        template=safe | template,
    )
    for use in (
        lambda: service.wrap(KEY, context=CONTEXT),
        lambda: service.unwrap(wrapped, context=CONTEXT),
        service.rotate,
        lambda: token.service(create=False),
    ):
        with pytest.raises(KeyServiceError, match="is no root key"):
            use()


@pytest.mark.parametrize(("attribute", "later"), [(Attribute.EXTRACTABLE, False), (Attribute.SENSITIVE, True)])
def test_a_key_that_could_once_be_read_is_no_root_key(attribute: Attribute, later: bool, token: Token) -> None:
    key = token.session().generate_key(
        KeyType.AES,
        256,
        id=b"\x01",
        label="root key",
        store=True,
        capabilities=MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT,
        template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.PRIVATE: True}
        | {attribute: not later},
    )
    key[attribute] = later
    with pytest.raises(KeyServiceError, match="never extractable"):
        token.service(create=False)


def test_a_key_that_was_brought_in_is_no_root_key(token: Token) -> None:
    token.session().create_object(
        {
            Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY,
            Attribute.KEY_TYPE: KeyType.AES,
            Attribute.VALUE: bytes(32),
            Attribute.LABEL: "root key",
            Attribute.ID: b"\1",
            Attribute.TOKEN: True,
            Attribute.PRIVATE: True,
            Attribute.SENSITIVE: True,
            Attribute.EXTRACTABLE: False,
            Attribute.ENCRYPT: True,
            Attribute.DECRYPT: True,
        }
    )
    with pytest.raises(KeyServiceError, match="made in the token"):
        token.service()


def _ceremony(token: Token, key_id: bytes) -> None:
    token.session().generate_key(
        KeyType.AES,
        256,
        id=key_id,
        label="root key",
        store=True,
        capabilities=MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT,
        template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.PRIVATE: True},
    )


def test_keys_that_an_administrator_made_are_versions_in_the_order_of_their_ids(token: Token) -> None:
    _ceremony(token, b"\x01")
    service = token.service(create=False)
    assert service.key_id == "pkcs11:root%20key:01"
    wrapped = service.wrap(KEY, context=CONTEXT)
    _ceremony(token, b"\x0a")
    _ceremony(token, b"\x09")
    assert service.key_id == "pkcs11:root%20key:0a"
    assert service.rotate() == service.key_id
    service.retire("pkcs11:root%20key:09")
    assert service.unwrap(wrapped, context=CONTEXT) == KEY
    _ceremony(token, b"\x00\x01")
    with pytest.raises(KeyServiceError, match="the same id"):
        service.unwrap(wrapped, context=CONTEXT)


def test_an_id_that_leaves_no_greater_one_is_told(token: Token) -> None:
    _ceremony(token, b"\xff" * 16)
    with pytest.raises(KeyServiceError, match="no greater"):
        token.service(create=False).rotate()


def test_another_token_opens_nothing(make_token: Callable[[], Token]) -> None:
    first, second = make_token(), make_token()
    wrapped = first.service().wrap(KEY, context=CONTEXT)
    with pytest.raises(KeyRefused, match="is another token's"):
        second.service().unwrap(wrapped, context=CONTEXT)


def test_two_tokens_of_one_name_are_told_apart_by_serial(make_token: Callable[[], Token], tokens: Path) -> None:
    token = make_token()
    _softhsm2_util("--init-token", "--free", "--label", token.label, "--pin", PIN, "--so-pin", "officer-of-tests")
    _start_the_module_anew()
    library = pkcs11.lib(str(_softhsm()))
    with pytest.raises(KeyServiceError, match="serial"):
        token.service()
    serials = [found.serial.decode() for found in library.get_tokens(token_label=token.label)]
    for serial in serials:
        uri = token.uri(f"&pin-source={tokens}/pin").replace(";object", f";serial={serial};object")
        Pkcs11KeyService.from_uri(uri, environ={}, create=True)
    _softhsm2_util("--delete-token", "--serial", serials[0])


def test_a_token_that_is_not_there_is_unavailable(token: Token) -> None:
    uri = token.uri(f"&pin-source={token.folder}/pin")
    for wrong in (uri.replace(token.label, "elsewhere"), uri.replace(";object", ";model=other;object")):
        with pytest.raises(KeyServiceUnavailable, match="is not there"):
            Pkcs11KeyService.from_uri(wrong, environ={}, create=True)


def test_a_key_wraps_no_more_often_than_its_nonces_allow(token: Token, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hsm, "MAXIMUM_WRAPS", 2)
    service = token.service()
    wrapped = [service.wrap(KEY, context=CONTEXT) for _ in range(2)]
    with pytest.raises(KeyServiceError, match="rotate"):
        service.wrap(KEY, context=CONTEXT)
    service.rotate()
    wrapped.append(service.wrap(KEY, context=CONTEXT))
    assert [service.unwrap(each, context=CONTEXT) for each in wrapped] == [KEY] * 3


def test_nonces_are_fresh(token: Token) -> None:
    service = token.service()
    assert len({service._encrypt(bytes(32), CONTEXT)[1][:12] for _ in range(50)}) == 50


def test_services_of_one_process_share_the_module(make_token: Callable[[], Token]) -> None:
    services = [token.service() for token in (make_token(), make_token()) for _ in range(2)]
    opened: list[bytes] = []

    def work(service: Pkcs11KeyService) -> None:
        for _ in range(10):
            opened.append(service.unwrap(service.wrap(KEY, context=CONTEXT), context=CONTEXT))

    threads = [threading.Thread(target=work, args=(service,)) for service in services * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert opened == [KEY] * 80


def test_one_caller_at_a_time_is_in_a_module(make_token: Callable[[], Token]) -> None:
    first, second = make_token().service(), make_token().service()
    inside, leave, done = threading.Event(), threading.Event(), threading.Event()

    def stay(session: object, keys: object) -> None:
        inside.set()
        assert leave.wait(30)

    staying = threading.Thread(target=lambda: first._token.use(stay))
    waiting = threading.Thread(target=lambda: (second.wrap(KEY, context=CONTEXT), done.set()))
    staying.start()
    assert inside.wait(30)
    waiting.start()
    assert not done.wait(0.3)
    leave.set()
    assert done.wait(30)
    staying.join()
    waiting.join()


def test_a_forked_process_is_told_to_open_its_own(token: Token) -> None:
    service = token.service()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            for use in (lambda: service.key_id, token.service):
                try:
                    use()
                except KeyServiceError as error:
                    status = 0 if "fork" in str(error) else 1
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_module_that_is_missing_no_module_or_open_to_others_is_refused(token: Token, tmp_path: Path) -> None:
    module = tmp_path / "module.so"
    uri = token.uri(f"&pin-source={token.folder}/pin").replace(str(_softhsm()), str(module))
    with pytest.raises(KeyServiceError, match="is not there"):
        Pkcs11KeyService.from_uri(uri, environ={}, create=True)
    module.write_bytes(b"no library")
    with pytest.raises(KeyServiceUnavailable, match="does not start"):
        Pkcs11KeyService.from_uri(uri, environ={}, create=True)
    shutil.copyfile(_softhsm(), module)
    module.chmod(0o757)
    with pytest.raises(KeyServiceError, match="chmod go-w"):
        Pkcs11KeyService.from_uri(uri, environ={}, create=True)
