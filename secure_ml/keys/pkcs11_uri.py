"""The URI of a root key in a PKCS#11 token (RFC 7512).

Belongs here: reading it. Must stay out: tokens, and PINs, which are never in it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from urllib.parse import unquote, urlsplit

from secure_ml.keys.errors import KeyServiceError

_TOKEN = ("token", "serial", "manufacturer", "model")
_PATH = (*_TOKEN, "object", "type")
_QUERY = ("module-path", "pin-source")
_WANTED = (
    "a root key in a token is named as pkcs11:token=LABEL;object=LABEL?module-path=/path/of/the/module.so, special "
    "characters as %XX; of RFC 7512 there may also be serial, manufacturer, model, type=secret-key and pin-source"
)


@dataclass(frozen=True)
class Pkcs11Uri:
    """What a URI names.

    Attributes:
        token: What the token must match: `token` (its label), `serial`, `manufacturer`, `model`.
        label: Of the root key's objects.
        module: The token's library.
        pin_file: Where its PIN lies; None leaves that to the environment.
    """

    token: Mapping[str, str]
    label: str
    module: Path
    pin_file: Path | None

    @classmethod
    def parse(cls, uri: str) -> "Pkcs11Uri":
        """Read a URI.

        Raises:
            KeyServiceError: It is no such one, or holds a PIN. The text quotes no value of it.
        """
        scheme, _, rest = uri.partition(":")
        path, _, query = rest.partition("?")
        if scheme.lower() != "pkcs11" or re.search(r"[^!-~]", uri) or "#" in uri:
            raise KeyServiceError(_WANTED)
        if re.search(r"pin-value", unquote(query), re.IGNORECASE):
            raise KeyServiceError(
                "a PIN in the URI is readable by too many: put it in a file of mode 0600, and name that"
            )
        named, asked = _attributes(path, ";", _PATH), _attributes(query, "&", _QUERY)
        token = {name: named[name] for name in _TOKEN if name in named}
        if not token.keys() & {"token", "serial"} or "object" not in named or "module-path" not in asked:
            raise KeyServiceError(_WANTED)
        if named.get("type", "secret-key") != "secret-key":
            raise KeyServiceError("a root key is of type=secret-key")
        pin_file = _file(asked["pin-source"]) if "pin-source" in asked else None
        return cls(MappingProxyType(token), named["object"], _file(asked["module-path"]), pin_file)


def _attributes(text: str, separator: str, allowed: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for attribute in text.split(separator) if text else ():
        name, equals, value = attribute.partition("=")
        try:
            value = unquote(value, errors="strict")
        except UnicodeDecodeError:
            raise KeyServiceError(_WANTED) from None
        if name not in allowed or not equals or not value.isprintable() or not value or name in found:
            raise KeyServiceError(_WANTED)
        found[name] = value
    return found


def _file(named: str) -> Path:
    path = unquote(urlsplit(named).path) if named.startswith("file:") else named
    if not path.startswith("/"):
        raise KeyServiceError("module-path and pin-source are absolute paths")
    return Path(path)
