//! `docs/configuration.md`, made from the table.

use super::{Default, SETTINGS, Setting};

const INTRODUCTION: &str = "\
# Configuration

Made from the table in `crates/server/src/config/table.rs`; do not edit. To renew it:
`cargo run -- config --reference > docs/configuration.md`

A setting can come from four places. The first one that has it wins:

1. a command-line flag: `ORDER_OFFER_TIMEOUT` is `--order-offer-timeout`. Flags may stand before and after the
   subcommand. Other users of the machine can see them, so give secrets in another way;
2. an environment variable;
3. the file `.env` of the working directory, with lines `NAME=value`. A value that has spaces, `#` or `$` stands in
   single quotes: `SECRET_KEY='a$b#c'`. Names that are not listed here are ignored, so that a Django project's file can
   be shared;
4. the default.

`holodrive config` prints every setting in effect and where it came from, with secrets masked. A malformed value
stops the start with one line that names the variable. An empty value means none where none is allowed.
";

/// The reference of all settings, in Markdown.
pub fn reference() -> String {
    let sections = SETTINGS.chunk_by(|a, b| a.section == b.section).map(section);
    INTRODUCTION.to_owned() + &sections.collect::<String>()
}

fn section(settings: &[Setting]) -> String {
    let name = settings[0].section;
    let rows: String = settings.iter().map(row).collect();
    format!("\n## {name}\n\n| variable | default | meaning | must be |\n|---|---|---|---|\n{rows}")
}

fn row(setting: &Setting) -> String {
    let default = match setting.default {
        Default::Text("") => "none".to_owned(),
        Default::Derived(text) if text.contains('`') => text.to_owned(),
        Default::Text(text) | Default::Derived(text) => format!("`{text}`"),
    };
    let cells = [&setting.variable(), &default, setting.meaning(), setting.expected];
    let [variable, default, meaning, expected] = cells.map(|cell| cell.replace('|', "\\|"));
    format!("| `{variable}` | {default} | {meaning} | {expected} |\n")
}
