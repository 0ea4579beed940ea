"""A PKCS#11 token that this process is logged in to.

Belongs here: its module, finding it, its PIN, sessions that are lost and opened anew. Must stay out: what its keys are
for.
"""

import os
import stat
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from secure_ml.keys.errors import KeyServiceError, KeyServiceUnavailable
from secure_ml.keys.passphrase import read_secret_line
from secure_ml.keys.pkcs11_uri import Pkcs11Uri

if TYPE_CHECKING:
    from pkcs11 import Attribute, GCMParams, Mechanism, PKCS11Error, Session, Token
    from pkcs11._pkcs11 import lib

_Answer = TypeVar("_Answer")

# A module is initialised for callers that come one at a time, and logs in for the whole process.
_one_caller = threading.RLock()
_loaded_by: dict[Path, int] = {}
_refused_pins: set[tuple[Path, bytes, str]] = set()


class TokenKey(Protocol):
    """What python-pkcs11 lets an AES key do; its own types leave open whether bytes come back."""

    def __getitem__(self, attribute: "Attribute") -> Any:
        """One attribute."""

    def get_attributes(self, attributes: "list[Attribute]") -> "dict[Attribute, Any]":
        """Several at once."""

    def encrypt(self, data: bytes, *, mechanism: "Mechanism", mechanism_param: "GCMParams") -> bytes:
        """Encrypt in the token."""

    def decrypt(self, data: bytes, *, mechanism: "Mechanism", mechanism_param: "GCMParams") -> bytes:
        """Decrypt in the token."""

    def destroy(self) -> None:
        """Remove it from the token."""


class Pkcs11Token:
    """The token that a URI names, and the secret keys in it of the URI's label. Safe to share between threads."""

    def __init__(self, uri: Pkcs11Uri, *, pin_file: Path) -> None:
        self._uri = uri
        self._pin_file = pin_file
        self._session: Session | None = None

    def use(self, work: "Callable[[Session, Sequence[TokenKey]], _Answer]") -> _Answer:
        """Do something with a session and the keys, in its order with all other callers of this process.

        A session that was lost is opened anew, once, and the work done again; what a new session answers is final.

        Raises:
            KeyServiceUnavailable: The token is gone, or does not answer.
            KeyServiceError: It refuses; the text says what to do.
        """
        from pkcs11 import PKCS11Error

        if _loaded_by.get(self._uri.module, os.getpid()) != os.getpid():
            raise KeyServiceError("a PKCS#11 module does not survive a fork; open the key service in a new process")
        with _one_caller:
            while True:
                is_new = self._session is None
                try:
                    session = self._session = self._session or self._connect()
                    keys = self.keys(session)
                    # Who is no longer logged in sees no keys.
                    if keys or is_new:
                        return work(session, keys)
                except PKCS11Error as error:
                    if is_new:
                        self._disconnect()
                        raise self._explained(error) from None
                self._disconnect()

    def keys(self, session: "Session") -> list[TokenKey]:
        """The keys that this session sees now."""
        from pkcs11 import Attribute, ObjectClass

        wanted = {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.LABEL: self._uri.label}
        return cast(list[TokenKey], list(session.get_objects(wanted)))

    def __str__(self) -> str:
        return "the token " + ";".join(f"{name}={value}" for name, value in self._uri.token.items())

    def _connect(self) -> "Session":
        token = self._find()
        session = token.open()
        if not self.keys(session):
            self._log_in(token)
        return session

    def _disconnect(self) -> None:
        from pkcs11 import PKCS11Error

        session, self._session = self._session, None
        if session is not None:
            try:
                session.close()
            except PKCS11Error:
                # It was lost: that is why it is closed.
                return

    def _log_in(self, token: "Token") -> None:
        from pkcs11 import PinIncorrect, PinInvalid, PinLenRange, TokenFlag, UserAlreadyLoggedIn

        pin = read_secret_line(self._pin_file)
        tried = (self._uri.module, token.serial, pin)
        refused = KeyServiceError(
            f"{self} refuses the PIN in {self._pin_file}; as a token locks itself after a few wrong ones, this process "
            "does not try it again: correct the file"
        )
        if tried in _refused_pins:
            raise refused
        if token.flags & TokenFlag.USER_PIN_LOCKED:
            raise KeyServiceError(f"the PIN of {self} is locked; its security officer sets it anew")
        if token.flags & TokenFlag.USER_PIN_FINAL_TRY:
            raise KeyServiceError(
                f"{self} locks itself at the next wrong PIN, so none is tried; log in by its own tool once, which "
                "resets the count"
            )
        try:
            # This session stays open: closing it would log out whoever else in this process uses the token.
            token.open(user_pin=pin)
        except UserAlreadyLoggedIn:
            return
        except (PinIncorrect, PinInvalid, PinLenRange):
            _refused_pins.add(tried)
            raise refused from None

    def _find(self) -> "Token":
        from pkcs11 import TokenNotPresent, TokenNotRecognised

        found = []
        for slot in _load(self._uri.module).get_slots(token_present=True):
            try:
                token = slot.get_token()
            except (TokenNotPresent, TokenNotRecognised):
                continue
            says = {
                "token": token.label,
                "serial": token.serial.decode("ascii", "replace"),
                "manufacturer": token.manufacturer_id,
                "model": token.model,
            }
            if all(says[name] == value for name, value in self._uri.token.items()):
                found.append(token)
        if not found:
            raise KeyServiceUnavailable(
                f"{self} is not there; connect it, and look at the URI and the module's settings"
            )
        if len(found) > 1:
            raise KeyServiceError(f"{self} is {len(found)} tokens; name one by its serial in the URI")
        return found[0]

    def _explained(self, error: "PKCS11Error") -> KeyServiceError:
        from pkcs11 import exceptions

        name = type(error).__name__
        if isinstance(error, exceptions.PinLocked):
            return KeyServiceError(f"the PIN of {self} is locked; its security officer sets it anew")
        if isinstance(error, exceptions.PinExpired | exceptions.UserPinNotInitialized):
            return KeyServiceError(f"{self} has no valid PIN ({name}); its security officer sets one")
        refusals = (
            exceptions.AttributeTypeInvalid,
            exceptions.AttributeValueInvalid,
            exceptions.FunctionNotSupported,
            exceptions.FunctionRejected,
            exceptions.MechanismInvalid,
            exceptions.MechanismParamInvalid,
            exceptions.SessionReadOnly,
            exceptions.TemplateIncomplete,
            exceptions.TemplateInconsistent,
            exceptions.TokenWriteProtected,
        )
        if isinstance(error, refusals):
            return KeyServiceError(
                f"{self} refuses ({name}); it must make AES keys and encrypt by AES-GCM with a nonce that it is given"
            )
        return KeyServiceUnavailable(f"{self} does not answer as it should ({name}); look at its module's log")


def _load(module: Path) -> "lib":
    """Load a module, once a process.

    Raises:
        KeyServiceUnavailable: It does not start.
        KeyServiceError: There is none, or others could change it.
    """
    import pkcs11

    try:
        status = module.stat()
    except OSError:
        raise KeyServiceError(f"{module} is not there; name the token's module in module-path") from None
    if status.st_uid not in (0, os.geteuid()) or stat.S_IMODE(status.st_mode) & 0o022:
        raise KeyServiceError(f"{module} can be changed by others, whose code it would run; run: chmod go-w {module}")
    _loaded_by[module] = os.getpid()
    try:
        return pkcs11.lib(str(module))
    except pkcs11.PKCS11Error as error:
        raise KeyServiceUnavailable(f"{module} does not start ({type(error).__name__}); look at its settings") from None
