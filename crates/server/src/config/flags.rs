//! The settings as command-line flags.

use std::collections::BTreeMap;

use clap::{Arg, ArgMatches};

use super::{Default, SETTINGS, Setting};

/// One flag for each setting, accepted before and after the subcommand. `-h` leaves them out, `--help`
/// groups them as the reference does.
pub fn flags() -> impl Iterator<Item = Arg> {
    SETTINGS.iter().map(|setting| {
        Arg::new(setting.field)
            .long(setting.flag())
            .value_name(value_name(setting))
            .help(help(setting))
            .help_heading(setting.section)
            .hide_short_help(true)
            .allow_negative_numbers(true)
            .global(true)
    })
}

/// The flags that were given, by the names of their variables.
pub fn given_flags(matches: &ArgMatches) -> BTreeMap<String, String> {
    let given = |setting: &Setting| {
        let value = matches.get_one::<String>(setting.field)?;
        Some((setting.variable(), value.clone()))
    };
    SETTINGS.iter().filter_map(given).collect()
}

fn value_name(setting: &Setting) -> &'static str {
    if setting.expected.contains("seconds") { "SECONDS" } else { "VALUE" }
}

fn help(setting: &Setting) -> String {
    let meaning = setting.meaning().replace('`', "");
    match setting.default {
        Default::Text("") => meaning,
        Default::Text(text) | Default::Derived(text) => {
            format!("{meaning} [default: {}]", text.replace('`', ""))
        }
    }
}
