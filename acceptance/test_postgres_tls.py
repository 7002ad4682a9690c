"""TLS to PostgreSQL, by libpq's `sslmode` and `sslrootcert`."""

import os
import subprocess

import pytest

from holodrive import Server
from postgres_server import PostgresServer


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory):
    """A server with a certificate of an authority that this machine does not know: (server, the authority's certificate)."""
    server, folder = PostgresServer(), tmp_path_factory.mktemp("authority")
    certificate, key = server.data / "server.crt", server.data / "server.key"
    openssl(folder, "req", "-new", "-x509", "-nodes", "-subj", "/CN=An authority", "-out", "root.crt", "-keyout", "root.key")
    openssl(folder, "req", "-new", "-nodes", "-subj", "/CN=localhost", "-out", "server.csr", "-keyout", key)
    (folder / "extensions").write_text("subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    openssl(folder, "x509", "-req", "-in", "server.csr", "-CA", "root.crt", "-CAkey", "root.key", "-CAcreateserial",
            "-extfile", "extensions", "-out", certificate)
    if server.user:
        for file in (certificate, key):
            os.chown(file, server.user.pw_uid, server.user.pw_gid)
    key.chmod(0o600)
    server.stop()
    with open(server.data / "postgresql.conf", "a", encoding="utf-8") as configuration:
        configuration.write("ssl = on\n")
    # Whoever comes without TLS is not let in.
    access = server.data / "pg_hba.conf"
    access.write_text("hostssl all all 127.0.0.1/32 trust\n")
    server.start()
    yield server, folder / "root.crt"
    server.finish()


def openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def migrate(tmp_path, url: str):
    return Server(tmp_path, DATABASE_URL=url).cli("migrate", check=False)


@pytest.mark.parametrize("query", ["", "?sslmode=prefer", "?sslmode=require", "?sslmode=verify-full&sslrootcert={root}",
                                   "?sslrootcert={root}"])
def test_it_connects_encrypted(encrypted, tmp_path, query):
    server, root = encrypted
    result = migrate(tmp_path, server.url() + query.format(root=root))
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("query, why", [("?sslmode=disable", "no encryption"), ("?sslmode=verify-full", "UnknownIssuer"),
                                        ("?sslmode=sometimes", "sslmode=sometimes")])
def test_what_was_asked_for_and_cannot_be_had_is_said(encrypted, tmp_path, query, why):
    server, _ = encrypted
    result = migrate(tmp_path, server.url() + query)
    assert result.returncode == 1
    assert result.stderr.startswith("holodrive: DATABASE_URL: ") and why in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_server_without_tls_is_refused_where_it_is_required(tmp_path):
    server = PostgresServer()
    try:
        assert migrate(tmp_path, server.url() + "?sslmode=prefer").returncode == 0
        refused = migrate(tmp_path, server.url() + "?sslmode=require")
        assert refused.returncode == 1 and "server does not support TLS" in refused.stderr
    finally:
        server.finish()
