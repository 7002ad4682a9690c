//! TLS to the server, by the words of libpq's `sslmode` and `sslrootcert`.

use std::sync::Arc;

use reqwest::Url;
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::storage::StorageError;

/// What a database URL says of TLS.
pub(super) struct Tls {
    pub(super) mode: SslMode,
    pub(super) connector: MakeRustlsConnect,
}

/// Takes what is about TLS out of a database URL; the rest is for the driver.
///
/// `prefer` (the default) and `require` encrypt without asking who the server is, as in libpq; `verify-ca` and `verify-full` do
/// ask, and mean the same here: the name counts. So does `sslrootcert`, which names the authority's file; without it those of the
/// system count.
pub(super) fn split(url: &str) -> Result<(String, Tls), StorageError> {
    let (address, query) = url.split_once('?').unwrap_or((url, ""));
    let is_ours = |pair: &&str| pair.starts_with("sslmode=") || pair.starts_with("sslrootcert=");
    let (ours, rest): (Vec<_>, Vec<_>) = query.split('&').filter(|pair| !pair.is_empty()).partition(is_ours);
    let (mut mode, mut verify, mut authority) = (SslMode::Prefer, false, None);
    for (name, value) in pairs(&ours.join("&")) {
        match (name.as_str(), value.as_str()) {
            ("sslrootcert", file) => authority = Some(file.to_owned()),
            (_, "disable") => mode = SslMode::Disable,
            (_, "allow" | "prefer") => mode = SslMode::Prefer,
            (_, "require") => mode = SslMode::Require,
            (_, "verify-ca" | "verify-full") => (mode, verify) = (SslMode::Require, true),
            (_, other) => {
                return Err(refuse(&format!(
                    "sslmode={other}: it is disable, prefer, require, verify-ca or verify-full"
                )));
            }
        }
    }
    let roots = match authority {
        Some(file) => Some(roots_of(&file)?),
        None if verify => Some(system_roots()),
        None => None,
    };
    let rest = if rest.is_empty() { String::new() } else { format!("?{}", rest.join("&")) };
    Ok((format!("{address}{rest}"), Tls { mode, connector: connector(roots)? }))
}

fn refuse(why: &str) -> StorageError {
    StorageError::Setup(format!("DATABASE_URL: {why}"))
}

fn pairs(query: &str) -> Vec<(String, String)> {
    let parsed = Url::parse(&format!("postgres://host/?{query}"));
    parsed.iter().flat_map(Url::query_pairs).map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

fn roots_of(file: &str) -> Result<RootCertStore, StorageError> {
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = certificates.map_err(|error| refuse(&format!("sslrootcert={file}: {error}")))?;
    if roots.add_parsable_certificates(certificates).0 == 0 {
        return Err(refuse(&format!("sslrootcert={file} holds no certificate")));
    }
    Ok(roots)
}

fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// Without authorities, whoever answers is believed.
fn connector(roots: Option<RootCertStore>) -> Result<MakeRustlsConnect, StorageError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| refuse(&error.to_string()))?;
    let config = match roots {
        Some(roots) => builder.with_root_certificates(roots),
        None => builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider))),
    };
    Ok(MakeRustlsConnect::new(config.with_no_client_auth()))
}

/// Believes any certificate; that the other side holds its key is still made sure.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_is_about_tls_is_taken_out_and_the_rest_is_left() {
        let cases = [
            ("postgres://db/ride", "postgres://db/ride", SslMode::Prefer),
            ("postgres://db/ride?sslmode=disable", "postgres://db/ride", SslMode::Disable),
            (
                "postgres://db/ride?sslmode=require&connect_timeout=3",
                "postgres://db/ride?connect_timeout=3",
                SslMode::Require,
            ),
            (
                "postgres://a,b/ride?options=-cx%3Dy&sslmode=verify-full",
                "postgres://a,b/ride?options=-cx%3Dy",
                SslMode::Require,
            ),
        ];
        for (url, rest, mode) in cases {
            let (address, tls) = split(url).unwrap();
            assert_eq!((address.as_str(), tls.mode), (rest, mode));
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_the_reason() {
        let refused = |url| split(url).err().unwrap().to_string();
        assert!(refused("postgres://db/ride?sslmode=maybe").contains("sslmode=maybe: it is disable"));
        assert!(refused("postgres://db/ride?sslrootcert=/nowhere.pem").contains("sslrootcert=/nowhere.pem"));
    }
}
