//! `dialects`: which gateways it speaks to.

use super::site::Misuse;
use super::{Format, Outcome, print};
use crate::dialect::{self, Dialect};

/// List the gateways that it speaks to, or show one.
///
/// A dialect is a file of data. To speak to another gateway copy the nearest one, change it, and name the file as `dialect` of
/// a target.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  wa-watchdog dialects
  wa-watchdog dialects show waha > my-gateway.toml")]
pub(super) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    /// How they are listed.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum What {
    /// Print one as the file that it is.
    Show {
        /// Its name.
        name: String,
    },
}

/// Lists or shows.
pub(super) fn run(args: &Args) -> anyhow::Result<Outcome> {
    match &args.what {
        Some(What::Show { name }) => show(name),
        None => list(args.format),
    }
}

fn show(name: &str) -> anyhow::Result<Outcome> {
    let found = dialect::builtins().iter().find(|(known, _)| *known == name);
    let Some((_, text)) = found else {
        let known: Vec<&str> = dialect::builtins().iter().map(|(name, _)| *name).collect();
        return Err(Misuse(format!("there is no dialect {name:?}; there are {}", known.join(", "))).into());
    };
    print::line(text.trim_end())?;
    Ok(Outcome::Well)
}

fn list(format: Format) -> anyhow::Result<Outcome> {
    let dialects: Vec<_> = dialect::builtins().iter().filter_map(|(name, _)| Dialect::builtin(name)).collect();
    match format {
        Format::Text => {
            let row = |dialect: &std::sync::Arc<Dialect>| vec![dialect.name().to_owned(), dialect.title().to_owned()];
            let rows: Vec<Vec<String>> = dialects.iter().map(row).collect();
            for line in print::table(&["DIALECT", "GATEWAY"], &rows) {
                print::line(&line)?;
            }
        }
        Format::Json => {
            for dialect in dialects {
                print::line(&serde_json::json!({ "name": dialect.name(), "title": dialect.title() }).to_string())?;
            }
        }
    }
    Ok(Outcome::Well)
}
