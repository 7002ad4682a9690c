//! What the table knows about one setting, and the macro that turns the table into code.

/// One row of the table of settings.
#[derive(Debug)]
pub struct Setting {
    /// The heading under which help and reference list it.
    pub section: &'static str,
    /// Name of the field in [`Config`](super::Config); the other two names derive from it.
    pub field: &'static str,
    /// What it means, in Markdown.
    pub(super) doc: &'static str,
    /// What applies when no source sets it.
    pub default: Default,
    /// What a value must be; completes the sentence "must be …".
    pub expected: &'static str,
    /// How a value may be shown.
    pub shown: Shown,
}

impl Setting {
    /// Name of the environment variable, such as `ORDER_OFFER_TIMEOUT`.
    pub fn variable(&self) -> String {
        self.field.to_ascii_uppercase()
    }

    /// Name of the command-line flag without its dashes, such as `order-offer-timeout`.
    pub fn flag(&self) -> String {
        self.field.replace('_', "-")
    }

    /// What it means, in one paragraph of Markdown.
    pub fn meaning(&self) -> &'static str {
        self.doc.trim()
    }
}

/// What applies when no source sets a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    /// This text, read like any other value. Empty: none.
    Text(&'static str),
    /// Worked out from other settings; the text says how.
    Derived(&'static str),
}

/// How a value may be shown to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// As it is.
    Plain,
    /// Not at all.
    Masked,
    /// As an address without user, password and query.
    Url,
}

impl Shown {
    /// The text to show in place of `value`.
    pub(super) fn apply(self, value: &str) -> String {
        match self {
            Self::Masked if !value.is_empty() => MASK.to_owned(),
            Self::Url => mask_url(value),
            Self::Plain | Self::Masked => value.to_owned(),
        }
    }
}

const MASK: &str = "********";

fn mask_url(url: &str) -> String {
    let (address, query) = match url.split_once('?') {
        Some((address, _)) => (address, "?********"),
        None => (url, ""),
    };
    let Some((credentials, host)) = address.rsplit_once('@') else {
        return format!("{address}{query}");
    };
    let scheme = credentials.split_once("://").map_or("", |(scheme, _)| scheme);
    format!("{scheme}://{MASK}@{host}{query}")
}

/// Makes [`Config`](super::Config), its loader and [`SETTINGS`](super::SETTINGS) from the table.
macro_rules! settings {
    ($($section:literal {
        $($(#[doc = $doc:literal])+ $field:ident: $type:ty = $kind:ident($($default:tt)+);)+
    })+) => {
        /// Every setting, as it is in effect. Times that may be switched off with `0`, and limits alike,
        /// are `None` then.
        #[derive(Debug, Clone)]
        pub struct Config {
            $($($(#[doc = $doc])+ pub $field: $type,)+)+
            pub(super) effective: Vec<super::Effective>,
        }

        /// Every setting, in the order of the reference.
        pub static SETTINGS: &[Setting] = &[
            $($(Setting {
                section: $section,
                field: stringify!($field),
                doc: concat!($($doc),+),
                default: default!($($default)+),
                expected: kinds::$kind.expected,
                shown: kinds::$kind.shown,
            },)+)+
        ];

        impl Config {
            pub(super) fn resolve(sources: &super::Sources) -> Result<Self, super::ConfigError> {
                let mut resolver = super::resolver::Resolver::new(sources);
                Ok(Self {
                    $($($field: read!(resolver, kinds::$kind, $($default)+),)+)+
                    effective: resolver.finish(),
                })
            }
        }
    };
}

macro_rules! default {
    (derived $text:literal) => {
        Default::Derived($text)
    };
    ($text:literal) => {
        Default::Text($text)
    };
}

macro_rules! read {
    ($resolver:ident, $kind:path, derived $text:literal) => {
        $resolver.next_derived(&$kind)?
    };
    ($resolver:ident, $kind:path, $text:literal) => {
        $resolver.next(&$kind, $text)?
    };
}

pub(super) use {default, read, settings};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lose_whatever_could_be_a_password() {
        let cases = [
            ("postgres://app:s3cret@db:5432/ride", "postgres://********@db:5432/ride"),
            ("postgres://app:s3@cret@db/ride", "postgres://********@db/ride"),
            ("redis://cache:6379/0", "redis://cache:6379/0"),
            ("postgres://db/ride?password=s3cret", "postgres://db/ride?********"),
            ("app:s3cret@db", "://********@db"),
        ];
        for (url, shown) in cases {
            assert_eq!(Shown::Url.apply(url), shown);
        }
    }

    #[test]
    fn a_masked_value_does_not_tell_its_length() {
        assert_eq!(Shown::Masked.apply("a"), Shown::Masked.apply("a much longer one"));
        assert_eq!(Shown::Masked.apply(""), "");
    }
}
