"""A certificate authority of the tests' own, and what it vouches for: servers on 127.0.0.1 that the program trusts."""

import datetime
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LASTS = datetime.timedelta(days=1)


class Authority:
    """Writes `ca.pem` into a folder; a program that is given it as `SSL_CERT_FILE` trusts this authority and nobody else."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "the tests' own")])
        basic = x509.BasicConstraints(ca=True, path_length=None)
        certificate = self._builder(self.name, self.key.public_key()).add_extension(basic, critical=True)
        self.file = self._write("ca.pem", certificate.sign(self.key, hashes.SHA256()))

    def server_context(self, *protocols: str) -> ssl.SSLContext:
        """TLS for a server on 127.0.0.1 that speaks these protocols."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        certificate = self._builder(subject, key.public_key()).add_extension(names, critical=False)
        chain = self._write(f"server-{id(key)}.pem", certificate.sign(self.key, hashes.SHA256()), key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(chain)
        context.set_alpn_protocols(list(protocols))
        return context

    def _builder(self, subject, public_key) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.timezone.utc)
        return x509.CertificateBuilder(
            issuer_name=self.name, subject_name=subject, public_key=public_key,
            serial_number=x509.random_serial_number(), not_valid_before=now - LASTS, not_valid_after=now + LASTS,
        )

    def _write(self, name: str, certificate, key=None) -> Path:
        text = certificate.public_bytes(serialization.Encoding.PEM)
        if key is not None:
            text += pem(key)
        (self.folder / name).write_bytes(text)
        return self.folder / name


def pem(key) -> bytes:
    """A private key as Google and Apple hand theirs out: PKCS #8 without a password."""
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
