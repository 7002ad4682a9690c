//! Numbers as they stand in tables, and as they are asked for.

use std::str::FromStr;

use anyhow::Context;

/// A part of a whole, from 0 to 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share(pub(crate) f64);

impl FromStr for Share {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
        share.map(Self).with_context(|| format!("{text} is not a number from 0 to 1"))
    }
}

/// With commas between thousands.
pub(crate) fn number(value: f64, digits: usize) -> String {
    let text = format!("{:.digits$}", value.abs());
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = if value < 0.0 && text.bytes().any(|byte| (b'1'..=b'9').contains(&byte)) { "-" } else { "" };
    format!("{sign}{grouped}{rest}")
}

/// Small ratios need more digits to mean something.
pub(crate) fn ratio_number(ratio: f64) -> String {
    number(ratio, if ratio < 0.1 { 3 } else { 2 })
}

/// That of nothing is 0.
pub(crate) fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    if count > 0.0 { sum / count } else { 0.0 }
}

/// What stands where there is nothing to tell.
pub(crate) fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "–".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas_and_no_negative_zero() {
        assert_eq!(number(1_234_567.6, 0), "1,234,568");
        assert_eq!(number(999.0, 0), "999");
        assert_eq!(number(1_234.567, 2), "1,234.57");
        assert_eq!(number(-0.001, 2), "0.00");
        assert_eq!(number(-12.3, 1), "-12.3");
        assert_eq!(ratio_number(0.034), "0.034");
        assert_eq!(
            [mean([1.0, 4.0].into_iter()), mean(std::iter::empty())].map(|mean| number(mean, 1)),
            ["2.5", "0.0"]
        );
    }
}
