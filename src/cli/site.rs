//! Which configuration a command works with: a file, or one target named by flags.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::config::{self, Problem, Settings, Single, SingleKind};

/// Where the settings come from.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Site {
    /// The configuration file; without a word about what to watch, the one that `WA_WATCHDOG_CONFIG` names, or watchdog.toml in
    /// this folder.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Watch one self-hosted session service, no file needed.
    #[arg(long, value_name = "URL", group = "single", conflicts_with_all = ["config", "wasender"])]
    service: Option<String>,
    /// Watch one WasenderAPI session by its number, no file needed.
    #[arg(long, value_name = "SESSION", group = "single", conflicts_with = "config")]
    wasender: Option<String>,
    /// File that holds the token; read at each use.
    #[arg(long, value_name = "FILE", requires = "single")]
    token_file: Option<PathBuf>,
    /// The gateway's dialect, with --service: `wa-watchdog dialects` lists them.
    #[arg(long, value_name = "DIALECT", requires = "service")]
    dialect: Option<String>,
    /// The session's name at the gateway, with --service, where the gateway holds several.
    #[arg(long, value_name = "SESSION", requires = "service")]
    session: Option<String>,
    /// Base URL of the WasenderAPI, with --wasender.
    #[arg(long, value_name = "URL", requires = "wasender")]
    wasender_url: Option<String>,
    /// Name of the one target in metrics and API.
    #[arg(long, value_name = "NAME", requires = "single")]
    name: Option<String>,
}

/// Says that a command was used wrongly or its configuration is bad; exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Misuse(pub(super) String);

impl Site {
    /// Reads and checks the settings.
    pub(super) fn load(&self, env: &BTreeMap<String, String>) -> Result<Settings, Vec<Problem>> {
        if let Some(kind) = self.kind() {
            let single = Single {
                kind,
                token_file: self.token_file.clone(),
                dialect: self.dialect.clone(),
                name: self.name.clone(),
            };
            return config::single(&single, env);
        }
        let named = env.get(CONFIG_VARIABLE).filter(|name| !name.is_empty()).map(PathBuf::from);
        let file = match self.config.clone().or(named) {
            Some(file) => file,
            None if Path::new(DEFAULT_FILE).exists() => PathBuf::from(DEFAULT_FILE),
            None if is_by_environment(env) => return by_environment(env),
            None => return Err(vec![nothing_to_watch()]),
        };
        config::load(&file, env)
    }

    /// Reads the settings; the problems become one error that lists them all.
    pub(super) fn settings(&self, env: &BTreeMap<String, String>) -> Result<Settings, Misuse> {
        let settings = self.load(env).map_err(|problems| Misuse(list(&problems)))?;
        for warning in &settings.warnings {
            tracing::warn!("{warning}");
        }
        Ok(settings)
    }

    fn kind(&self) -> Option<SingleKind> {
        let named = self.session.clone();
        let service = self.service.clone().map(|url| SingleKind::Service { url, session: named });
        let wasender = self.wasender.clone();
        service.or_else(|| wasender.map(|session| SingleKind::Wasender { session, url: self.wasender_url.clone() }))
    }
}

/// A command without a word about what to watch looks for this file.
const DEFAULT_FILE: &str = "watchdog.toml";
/// Names the configuration file where no flag does.
const CONFIG_VARIABLE: &str = "WA_WATCHDOG_CONFIG";
/// What the environment twins of targets and of discoveries begin with.
const TWINS: [&str; 2] = ["WA_WATCHDOG__TARGET__", "WA_WATCHDOG__DISCOVER__"];

/// Tells whether the environment alone says what to watch, as in a container without a file.
pub(super) fn is_by_environment(env: &BTreeMap<String, String>) -> bool {
    let is_named = env.get(CONFIG_VARIABLE).is_some_and(|name| !name.is_empty());
    let has_twins = || env.keys().any(|name| TWINS.iter().any(|twins| name.starts_with(twins)));
    !is_named && !Path::new(DEFAULT_FILE).exists() && has_twins()
}

/// Reads the settings from the environment alone.
pub(super) fn by_environment(env: &BTreeMap<String, String>) -> Result<Settings, Vec<Problem>> {
    config::parse("", "environment", Path::new(""), env)
}

fn nothing_to_watch() -> Problem {
    Problem {
        source: DEFAULT_FILE.to_owned(),
        line: None,
        key: String::new(),
        what: "does not exist here".to_owned(),
        hint:
            "name a file with --config FILE, or one session with --service URL or --wasender SESSION --token-file FILE"
                .to_owned(),
    }
}

/// Lists problems, a paragraph each.
pub(super) fn list(problems: &[Problem]) -> String {
    let count = match problems.len() {
        1 => String::from("1 problem"),
        n => format!("{n} problems"),
    };
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    format!("the configuration has {count}\n{}", lines.join("\n"))
}
