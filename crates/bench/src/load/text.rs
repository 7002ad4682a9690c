//! Looking into messages without reading all of them: a load generator must not be the limit.

/// Where `needle` begins.
pub(crate) fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, needle)
}

/// The number that stands after `mark`, in quotes or not.
pub(crate) fn digits_after(text: &[u8], mark: &[u8]) -> Option<usize> {
    let rest = text.get(find(text, mark)? + mark.len()..)?;
    let rest = rest.trim_ascii_start();
    let rest = rest.strip_prefix(b"\"").unwrap_or(rest);
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(None, |sum, digit| Some(sum.unwrap_or(0) * 10 + usize::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::digits_after;

    #[test]
    fn numbers_are_found_in_quotes_and_without() {
        assert_eq!(digits_after(br#"{"user": "38","x":1}"#, br#""user":"#), Some(38));
        assert_eq!(digits_after(br#"{"user":7}"#, br#""user":"#), Some(7));
        assert_eq!(digits_after(br##"{"message":"#120# hello"}"##, b"\"#"), Some(120));
        assert_eq!(digits_after(br#"{"user":null}"#, br#""user":"#), None);
    }
}
