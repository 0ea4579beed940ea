"""A certificate authority of a test's own, and certificates for servers on this machine."""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Authority:
    """Signs certificates, and is trusted by whoever is given its own."""

    def __init__(self, name: str = "authority of the trial") -> None:
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        self._own = self._build(self._name, self._key).add_extension(constraints, critical=True)
        self.certificate = self._own.sign(self._key, hashes.SHA256())

    def write(self, file: Path) -> Path:
        """Writes its own certificate, readable for everybody."""
        file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        file.chmod(0o644)
        return file

    def issue(self, folder: Path, *hosts: str) -> None:
        """Writes `server.crt` for these hosts, and `server.key` for its owner alone."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])])
        names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
        certificate = self._build(subject, key).add_extension(names, critical=False).sign(self._key, hashes.SHA256())
        (folder / "server.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        private = folder / "server.key"
        private.touch(mode=0o600)
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )

    def _build(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
        )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
