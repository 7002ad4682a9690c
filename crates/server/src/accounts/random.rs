//! Random text from the operating system, for keys, salts and secrets.

/// The letters and digits that Django draws secrets and salts from.
pub(super) const ALPHANUMERIC: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// `length` characters, each drawn evenly from `alphabet` (at most 256 ASCII characters).
///
/// # Panics
/// If the operating system has no randomness to give: nothing secret can be made then.
pub(super) fn text(length: usize, alphabet: &[u8]) -> String {
    std::iter::repeat_with(random_bytes).flatten().filter_map(|byte| evenly(byte, alphabet)).take(length).collect()
}

fn random_bytes() -> [u8; 64] {
    let mut bytes = [0; 64];
    if let Err(error) = getrandom::fill(&mut bytes) {
        panic!("the operating system gives no random bytes: {error}");
    }
    bytes
}

/// The character for this byte, or none where taking it would favour the alphabet's beginning.
fn evenly(byte: u8, alphabet: &[u8]) -> Option<char> {
    let byte = usize::from(byte);
    let usable = 256 - 256 % alphabet.len();
    (byte < usable).then(|| char::from(alphabet[byte % alphabet.len()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_comes_up_and_no_other() {
        let drawn = text(10_000, ALPHANUMERIC);
        assert_eq!(drawn.len(), 10_000);
        assert!(drawn.bytes().all(|byte| ALPHANUMERIC.contains(&byte)));
        assert!(ALPHANUMERIC.iter().all(|byte| drawn.as_bytes().contains(byte)));
    }
}
