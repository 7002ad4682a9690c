"""Starts real Redis servers, and does to them what happens to servers."""

import datetime
import ipaddress
import signal
import subprocess
from pathlib import Path

import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from holodrive import free_port, wait_until


class RedisServer:
    """One `redis-server` on a free port that keeps nothing; with a folder for its certificate, it speaks TLS and nothing else."""

    def __init__(self, certificates: Path | None = None):
        self.port = free_port()
        self.process = None
        self.authority = None
        self.options = ["--port", str(self.port)]
        if certificates is not None:
            self.authority, certificate, key = make_certificates(certificates)
            self.options = ["--port", "0", "--tls-port", str(self.port), "--tls-cert-file", str(certificate), "--tls-key-file",
                            str(key), "--tls-ca-cert-file", str(self.authority), "--tls-auth-clients", "no"]
        tls = {"ssl": True, "ssl_ca_certs": str(self.authority)} if self.authority else {}
        self.client = redis.Redis(host="127.0.0.1", port=self.port, **tls)

    @property
    def url(self) -> str:
        return f"{'rediss' if self.authority else 'redis'}://127.0.0.1:{self.port}/0"

    @property
    def django_url(self) -> str:
        """The address as Python wants it, which is told of the authority here."""
        return f"{self.url}?ssl_ca_certs={self.authority}" if self.authority else self.url

    def start(self) -> "RedisServer":
        self.process = subprocess.Popen(
            ["redis-server", *self.options, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        wait_until(self.answers, "Redis answers")
        return self

    def answers(self) -> bool:
        try:
            return self.client.ping()
        except redis.ConnectionError:
            return False

    def kill(self):
        """Ends it at once; what it had is gone."""
        self.process.kill()
        self.process.wait()

    def restart(self):
        self.kill()
        self.start()

    def freeze(self):
        """From now on it takes connections and answers nobody."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def finish(self):
        self.client.close()
        if self.process and self.process.poll() is None:
            self.thaw()
            self.kill()


def make_certificates(directory: Path) -> tuple[Path, Path, Path]:
    """Files: an authority's certificate, and one for 127.0.0.1 with its key."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _certificate("authority", authority_key, "authority", authority_key, is_authority=True)
    certificate = _certificate("127.0.0.1", key, "authority", authority_key, is_authority=False)
    paths = [directory / name for name in ("authority.pem", "certificate.pem", "key.pem")]
    pem = serialization.Encoding.PEM
    private = (pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    for path, data in zip(paths, (authority.public_bytes(pem), certificate.public_bytes(pem), key.private_bytes(*private))):
        path.write_bytes(data)
    return tuple(paths)


def _certificate(subject: str, key, issuer: str, issuer_key, *, is_authority: bool) -> x509.Certificate:
    name = lambda text: x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
    now, day = datetime.datetime.now(datetime.timezone.utc), datetime.timedelta(days=1)
    builder = (
        x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer)).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - day).not_valid_after(now + day)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if not is_authority:
        address = x509.IPAddress(ipaddress.ip_address(subject))
        builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())
