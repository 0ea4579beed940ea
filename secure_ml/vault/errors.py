"""What the door and the kernel refuse, in words that say what to do and hold no value of a person."""


class VaultError(Exception):
    """Base of all refusals of the vault."""


class AccessRefused(VaultError):
    """The decision was no; the refusal is in the audit log."""


class NothingThere(VaultError):
    """No committed version exists where one was asked for."""


class ChecksNotPassed(VaultError):
    """The version lacks a passing verdict of one of its blocking checks."""


class StaleVersion(VaultError):
    """The version was made under another policy than today's."""


class Tampered(VaultError):
    """A stored file, manifest, verdict or head is not the one that was committed."""


class UnknownFormat(VaultError):
    """What is stored is authentic, and of a format that this release does not read."""


class HeadMoved(VaultError):
    """Another run committed first."""


class SourceError(VaultError):
    """The source cannot be read as the policy declares it."""


class StorageError(VaultError):
    """The vault's folder cannot be read or written."""
