"""What the keys room refuses.

Belongs here: its typed errors. Must stay out: key bytes, in any form.
"""


class KeyServiceError(Exception):
    """A key service or key store cannot do its work; the message says what to do."""


class KeyServiceUnavailable(KeyServiceError):
    """The key service does not answer, or not in time; nothing else stands in for it."""


class KeyRefused(KeyServiceError):
    """A wrapped key is not authentic, or was wrapped under another key or for another context."""


class KeyNotFound(KeyServiceError):
    """No such key was ever made here."""


class KeyDestroyed(KeyServiceError):
    """The key was destroyed: what it protects cannot be opened again, by anyone."""


class SignatureRefused(KeyServiceError):
    """A signature is not the named key's over this statement."""


class KeyStoreRolledBack(KeyServiceError):
    """The key store is older than the audit log: keys that were destroyed since would be alive again."""


class KeyStoreMismatch(KeyServiceError):
    """The key store and the audit log are not of one installation, or the log is the older of the two."""
