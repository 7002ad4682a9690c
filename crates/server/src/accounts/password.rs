//! Django's password column: every built-in hash is verified, the default one is written.
//!
//! A row may say how much work its check costs, so each format has a ceiling well above Django's defaults;
//! a hash beyond it never verifies.

use std::{num::NonZeroU32, sync::Arc};

use argon2::Argon2;
use aws_lc_rs::pbkdf2::{self, PBKDF2_HMAC_SHA1, PBKDF2_HMAC_SHA256};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::{sync::Semaphore, task::spawn_blocking};

use super::{
    random::{self, ALPHANUMERIC},
    signing::{constant_time_eq, hex},
};

const ITERATIONS: NonZeroU32 = NonZeroU32::new(1_000_000).unwrap();
const SALT_LENGTH: usize = 22;

const MAX_PBKDF2_ITERATIONS: u32 = 10_000_000;
const MAX_MEMORY_KIB: u64 = 256 * 1024;
const MAX_ARGON2_PASSES: u32 = 10;
const MAX_ARGON2_LANES: u32 = 64;
const MAX_BCRYPT_COST: u32 = 15;
const MAX_BCRYPT_PASSWORD: usize = 72;
const MAX_SCRYPT_PARALLELISM: u32 = 16;

/// `password` as Django 5.2 stores it: `pbkdf2_sha256$1000000$salt$hash`.
pub fn hash_password(password: &str) -> String {
    let salt = random::text(SALT_LENGTH, ALPHANUMERIC);
    let hash = pbkdf2_sha256(password, &salt, ITERATIONS);
    format!("pbkdf2_sha256${ITERATIONS}${salt}${hash}")
}

/// Whether `password` is the one that was stored as `encoded`.
///
/// What can never verify (an unusable password, an unknown or too costly hash, no user at all) costs one
/// default hash, so that the time taken does not tell whether a name exists.
pub fn verify_password(password: &str, encoded: Option<&str>) -> bool {
    let checked = encoded.and_then(|encoded| check(password, encoded));
    checked.unwrap_or_else(|| {
        std::hint::black_box(pbkdf2_sha256(password, "salt", ITERATIONS));
        false
    })
}

/// Checks one encoded password; none where it is of no known, affordable form.
fn check(password: &str, encoded: &str) -> Option<bool> {
    let (algorithm, rest) = encoded.split_once('$')?;
    match algorithm {
        "pbkdf2_sha256" => check_pbkdf2(rest, |salt, iterations| pbkdf2_sha256(password, salt, iterations)),
        "pbkdf2_sha1" => check_pbkdf2(rest, |salt, iterations| pbkdf2_sha1(password, salt, iterations)),
        "argon2" => check_argon2(password, rest),
        "bcrypt_sha256" => check_bcrypt(&hex(&Sha256::digest(password)), rest),
        "bcrypt" => check_bcrypt(password, rest),
        "scrypt" => check_scrypt(password, rest),
        _ => None,
    }
}

/// `iterations$salt$hash`; the salt is used as the text it is.
fn check_pbkdf2(rest: &str, derive: impl Fn(&str, NonZeroU32) -> String) -> Option<bool> {
    let [iterations, salt, hash] = fields(rest)?;
    let iterations: NonZeroU32 = iterations.parse().ok()?;
    let affordable = iterations.get() <= MAX_PBKDF2_ITERATIONS && !salt.is_empty();
    affordable.then(|| constant_time_eq(&derive(salt, iterations), hash))
}

fn pbkdf2_sha256(password: &str, salt: &str, iterations: NonZeroU32) -> String {
    let mut hash = [0; 32];
    pbkdf2::derive(PBKDF2_HMAC_SHA256, iterations, salt.as_bytes(), password.as_bytes(), &mut hash);
    STANDARD.encode(hash)
}

fn pbkdf2_sha1(password: &str, salt: &str, iterations: NonZeroU32) -> String {
    let mut hash = [0; 20];
    pbkdf2::derive(PBKDF2_HMAC_SHA1, iterations, salt.as_bytes(), password.as_bytes(), &mut hash);
    STANDARD.encode(hash)
}

/// A PHC string without its leading `$`: `argon2id$v=19$m=102400,t=2,p=8$salt$hash`.
fn check_argon2(password: &str, rest: &str) -> Option<bool> {
    let [kind, version, costs, salt, hash] = fields(rest)?;
    let version = version.strip_prefix("v=")?.parse::<u32>().ok()?;
    let params = argon2_params(costs)?;
    let (salt, hash) = (STANDARD_NO_PAD.decode(salt).ok()?, STANDARD_NO_PAD.decode(hash).ok()?);
    let argon2 = Argon2::new(kind.parse().ok()?, version.try_into().ok()?, params);
    let mut derived = vec![0; hash.len()];
    argon2.hash_password_into(password.as_bytes(), &salt, &mut derived).ok()?;
    Some(derived.ct_eq(&hash).into())
}

fn argon2_params(costs: &str) -> Option<argon2::Params> {
    let mut costs = costs.split(',').zip(["m=", "t=", "p="]);
    let mut next = || costs.next().and_then(|(cost, name)| cost.strip_prefix(name)?.parse().ok());
    let (memory, passes, lanes): (u32, u32, u32) = (next()?, next()?, next()?);
    let affordable = u64::from(memory) <= MAX_MEMORY_KIB && passes <= MAX_ARGON2_PASSES && lanes <= MAX_ARGON2_LANES;
    affordable.then(|| argon2::Params::new(memory, passes, lanes, None).ok()).flatten()
}

/// A modular crypt string: `$2b$12$…`. Passwords beyond what bcrypt takes are refused, as bcrypt 5 does.
fn check_bcrypt(password: &str, hash: &str) -> Option<bool> {
    let cost = hash.parse::<bcrypt::HashParts>().ok()?.get_cost();
    let affordable = cost <= MAX_BCRYPT_COST && password.len() <= MAX_BCRYPT_PASSWORD;
    affordable.then(|| bcrypt::verify(password, hash).ok()).flatten()
}

/// `N$salt$r$p$hash`.
fn check_scrypt(password: &str, rest: &str) -> Option<bool> {
    let [n, salt, r, p, hash] = fields(rest)?;
    let params = scrypt_params(n.parse().ok()?, r.parse().ok()?, p.parse().ok()?)?;
    let mut derived = [0; 64];
    scrypt::scrypt(password.as_bytes(), salt.as_bytes(), &params, &mut derived).ok()?;
    Some(constant_time_eq(&STANDARD.encode(derived), hash))
}

fn scrypt_params(n: u64, r: u32, p: u32) -> Option<scrypt::Params> {
    let memory_kib = n.checked_mul(u64::from(r))? / 8;
    let affordable = n.is_power_of_two() && memory_kib <= MAX_MEMORY_KIB && p <= MAX_SCRYPT_PARALLELISM;
    let log_n = u8::try_from(n.trailing_zeros()).ok()?;
    affordable.then(|| scrypt::Params::new(log_n, r, p).ok()).flatten()
}

/// Exactly `N` fields between `$`.
fn fields<const N: usize>(text: &str) -> Option<[&str; N]> {
    text.split('$').collect::<Vec<_>>().try_into().ok()
}

/// More passwords are waiting to be checked than the server will queue. Try again in a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many logins at once")]
pub struct Overloaded;

/// Checks passwords on blocking threads: a few at a time, with a short queue in front.
#[derive(Debug, Clone)]
pub struct Verifier {
    queue: Arc<Semaphore>,
    workers: Arc<Semaphore>,
}

impl Verifier {
    /// At most `workers` checks run at once and at most `queue` in all are admitted.
    pub fn new(workers: usize, queue: usize) -> Self {
        Self { queue: Arc::new(Semaphore::new(queue)), workers: Arc::new(Semaphore::new(workers)) }
    }

    /// [`verify_password`] without holding up the caller's thread. `encoded` is none for an unknown user.
    pub async fn verify(&self, password: String, encoded: Option<String>) -> Result<bool, Overloaded> {
        let place = Arc::clone(&self.queue).try_acquire_owned().map_err(|_| Overloaded)?;
        let worker = Arc::clone(&self.workers).acquire_owned().await.map_err(|_| Overloaded)?;
        let check = spawn_blocking(move || {
            // Held until the work is done, even where the caller has gone away.
            let _held = (place, worker);
            verify_password(&password, encoded.as_deref())
        });
        Ok(check.await.unwrap_or(false))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_written_hash_verifies_and_is_djangos() {
        let encoded = hash_password("pässwörd-日本");
        let [algorithm, iterations, salt, hash] = fields(&encoded).unwrap();
        assert_eq!((algorithm, iterations), ("pbkdf2_sha256", "1000000"));
        assert_eq!((salt.len(), hash.len()), (22, 44));
        assert_eq!(check("pässwörd-日本", &encoded), Some(true));
        assert_eq!(check("passwörd-日本", &encoded), Some(false));
    }

    #[test]
    fn hostile_costs_are_refused_without_work() {
        for encoded in [
            "pbkdf2_sha256$4294967295$salt$aGFzaA==",
            "pbkdf2_sha256$0$salt$aGFzaA==",
            "pbkdf2_sha256$1000$$aGFzaA==",
            "pbkdf2_sha256$1000$a$b$c",
            "argon2$argon2id$v=19$m=4294967295,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2g",
            "argon2$argon2id$v=19$m=64,t=4294967295,p=1$c2FsdHNhbHQ$aGFzaGhhc2g",
            "argon2$argon2id$v=19$m=64,t=1,p=4294967295$c2FsdHNhbHQ$aGFzaGhhc2g",
            "argon2$argon2id$v=19$m=64,t=1$c2FsdHNhbHQ$aGFzaGhhc2g",
            "argon2$argon2id$v=19$m=64,t=1,p=1$$",
            "bcrypt$$2b$31$abcdefghijklmnopqrstuueHJ18gS0PUPMYqrwmzYoJvFpcURKuq.",
            "bcrypt$$2b$04$short",
            "scrypt$18446744073709551615$salt$8$1$aGFzaA==",
            "scrypt$9223372036854775808$salt$8$1$aGFzaA==",
            "scrypt$16384$salt$4294967295$4294967295$aGFzaA==",
            "scrypt$16384$salt$8$4294967295$aGFzaA==",
            "scrypt$0$salt$8$1$aGFzaA==",
            "scrypt$16$salt$0$1$aGFzaA==",
            "!unusable",
            "plain",
            "",
        ] {
            assert_eq!(check("password", encoded), None, "{encoded}");
        }
    }

    #[test]
    fn an_unknown_user_is_refused() {
        assert!(!verify_password("password", None));
    }

    #[tokio::test]
    async fn a_full_queue_turns_away() {
        let small = || Some("pbkdf2_sha256$1000$abcdefghijkl$menv6B09ermXsJ0Yfj6Nts8v1UgEQGo/d6+i7seZoM4=".to_owned());
        let verifier = Verifier::new(1, 1);
        assert_eq!(verifier.verify("old".into(), small()).await, Ok(true));
        let _place = verifier.queue.try_acquire().unwrap();
        assert_eq!(verifier.verify("old".into(), small()).await, Err(Overloaded));
    }
}
