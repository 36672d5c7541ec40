//! `pause`, `resume`, `approve`, `ack`, `reconnect`, `restart`, `reset`, `restore`: what a person orders of a running watchdog.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Context;
use reqwest::StatusCode;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::api::{Api, Complaint, Reply};
use super::site::{Misuse, by_environment, is_by_environment, list};
use super::watch::TargetName;
use super::{Format, Outcome, block_on, print};
use crate::config::{self, Problem, Secret, Settings};
use crate::engine::TargetId;
use crate::engine::attempt::AttemptId;

/// Who orders, why, and of which watchdog.
#[derive(Clone, Debug, clap::Args)]
struct Order {
    /// Why: it goes into the ledger, for whoever looks later.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who orders it, for the ledger; your user name (USER) when not given.
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
    #[command(flatten)]
    api: Api,
    /// File that holds the token for orders, where the watchdog has one ([server] `token_file`).
    #[arg(long, env = "WA_WATCHDOG_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The watchdog's configuration: where it listens and which token it wants are read there, unless --url and --token-file say so.
    /// Without it the one that `WA_WATCHDOG_CONFIG` names, or the environment where that alone says what to watch.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How the answer is printed.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Let a running watchdog only watch and tell, for one session or for all of them.
///
/// Nothing is begun while a pause lasts, not even what a person orders. What is under way ends as planned: no session is left half
/// restarted. Polls, incidents and notifications go on. The pause survives a restart of the watchdog.
///
/// Exit codes: 0 paused, 1 refused, 2 wrong use.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  wa-watchdog pause shop --reason \"moving the phone\" --for 2h
  wa-watchdog pause --all --reason \"deploy of the gateway\" --for 30min
  wa-watchdog pause --all --reason \"something is wrong with it\"       until resumed")]
pub(super) struct PauseArgs {
    #[command(flatten)]
    whom: Whom,
    /// How long, as in 30min, 2h or 1day; without it until it is resumed.
    #[arg(long = "for", value_name = "TIME", value_parser = span)]
    lasts: Option<String>,
    #[command(flatten)]
    order: Order,
}

/// End a pause of a running watchdog.
///
/// Exit codes: 0 done, 1 refused, 2 wrong use.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  wa-watchdog resume shop --reason \"phone is in place\"
  wa-watchdog resume --all --reason \"deploy is done\"")]
pub(super) struct ResumeArgs {
    #[command(flatten)]
    whom: Whom,
    #[command(flatten)]
    order: Order,
}

/// Release exactly one attempt that a watchdog in mode approve has proposed.
///
/// `status` and `explain` show what waits and its number. It begins as soon as its guards let it, once; another attempt is
/// another number.
///
/// Exit codes: 0 released, 1 refused, 2 wrong use.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:
  wa-watchdog approve shop 19c27e14280 --reason \"looked at the log, agreed\"")]
pub(super) struct ApproveArgs {
    /// The session's name.
    target: TargetName,
    /// The number of the attempt that waits.
    attempt: AttemptId,
    #[command(flatten)]
    order: Order,
}

/// Say that you looked at why resets of a session do not last: they may run again, within their budgets.
///
/// Exit codes: 0 noted, 1 refused, 2 wrong use.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:
  wa-watchdog ack shop --reason \"gave the container more memory\"")]
pub(super) struct AckArgs {
    /// The session's name.
    target: TargetName,
    #[command(flatten)]
    order: Order,
}

/// Ask the gateway of a session to connect again, now; keeps the session.
///
/// Goes past mode, cooldown and budgets, which guard against the watchdog's own zeal, and counts for the budgets. A pause, a live QR
/// code, a storm and an attempt under way still refuse it.
///
/// Exit codes: 0 begun, 1 refused, 2 wrong use.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:
  wa-watchdog reconnect acme --reason \"network is back\"")]
pub(super) struct ReconnectArgs {
    /// The session's name.
    target: TargetName,
    #[command(flatten)]
    order: Order,
}

/// Restart the service of a session, now; keeps the session, unless its configuration says otherwise.
///
/// Goes past mode, cooldown and budgets, which guard against the watchdog's own zeal, and counts for the budgets. A pause and an
/// attempt under way still refuse it; a live QR code and a storm do unless forced. Where a restart loses the session, you are
/// asked to type its name.
///
/// Exit codes: 0 begun, 1 refused, 2 wrong use or not confirmed.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  wa-watchdog restart shop --reason \"new version of the gateway\"
  wa-watchdog restart shop --reason \"provider says the outage is over\" --force")]
pub(super) struct RestartArgs {
    /// The session's name.
    target: TargetName,
    #[command(flatten)]
    harm: Harm,
    #[command(flatten)]
    order: Order,
}

/// Destroy a session and link it anew, now. A person with the phone must scan a QR code afterwards.
///
/// Try `restart` first: a reset mends only a session whose link is gone. Goes past mode, cooldown and budgets, which guard against
/// the watchdog's own zeal, and counts for the budgets. A pause and an attempt under way still refuse it; a live QR code and a storm
/// do unless forced. You are asked to type the session's name.
///
/// Exit codes: 0 begun, 1 refused, 2 wrong use or not confirmed.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  wa-watchdog reset shop --reason \"logged out on the phone by mistake\"
  wa-watchdog reset shop --reason \"new number\" --yes                  where nobody can be asked")]
pub(super) struct ResetArgs {
    /// The session's name.
    target: TargetName,
    #[command(flatten)]
    harm: Harm,
    #[command(flatten)]
    order: Order,
}

/// Bring back the session that a reset moved aside, now. What is there at the moment is moved aside in its place.
///
/// `history` shows resets and their numbers. Only a reset that keeps what it takes away can be undone so: the quarantine of the docker
/// hook, a rotated volume of Coolify, a cleared id of a database. A pause, a live QR code, a storm and an attempt under way refuse it.
///
/// Exit codes: 0 begun, 1 refused, 2 wrong use.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:
  wa-watchdog restore shop 19c27e14280 --reason \"it was the network after all\"")]
pub(super) struct RestoreArgs {
    /// The session's name.
    target: TargetName,
    /// The number of the reset.
    attempt: AttemptId,
    /// Also while a live QR code is shown or a storm is on.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    order: Order,
}

/// One session or all of them.
#[derive(Clone, Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Whom {
    /// The session's name.
    target: Option<TargetName>,
    /// All sessions.
    #[arg(long)]
    all: bool,
}

/// How far an order may go.
#[derive(Clone, Debug, clap::Args)]
struct Harm {
    /// Also while a live QR code is shown or a storm is on.
    #[arg(long)]
    force: bool,
    /// Do not ask whether the session may be destroyed.
    #[arg(long)]
    yes: bool,
}

/// What a running watchdog says of a target, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Detail {
    care: Care,
}

#[derive(Debug, Deserialize)]
struct Care {
    destroys: Vec<String>,
}

/// What became of an order.
#[derive(Debug, Deserialize)]
struct Accepted {
    what: String,
    attempt: Option<String>,
}

type Env = BTreeMap<String, String>;

/// Orders a pause.
pub(super) fn pause(args: &PauseArgs, env: &Env) -> anyhow::Result<Outcome> {
    let lasts = args.lasts.iter().map(|lasts| ("for", Value::from(lasts.as_str())));
    args.order.place(env, &args.whom.path("pause"), lasts.collect())
}

/// Orders the end of a pause.
pub(super) fn resume(args: &ResumeArgs, env: &Env) -> anyhow::Result<Outcome> {
    args.order.place(env, &args.whom.path("resume"), Vec::new())
}

/// Releases a proposal.
pub(super) fn approve(args: &ApproveArgs, env: &Env) -> anyhow::Result<Outcome> {
    let attempt = vec![("attempt", Value::from(args.attempt.to_string()))];
    args.order.place(env, &of_target(&args.target, "approve"), attempt)
}

/// Acknowledges an underlying problem.
pub(super) fn ack(args: &AckArgs, env: &Env) -> anyhow::Result<Outcome> {
    args.order.place(env, &of_target(&args.target, "ack"), Vec::new())
}

/// Orders a reconnect.
pub(super) fn reconnect(args: &ReconnectArgs, env: &Env) -> anyhow::Result<Outcome> {
    args.order.place(env, &of_target(&args.target, "reconnect"), Vec::new())
}

/// Orders a restart.
pub(super) fn restart(args: &RestartArgs, env: &Env) -> anyhow::Result<Outcome> {
    let RestartArgs { target, harm, order } = args;
    if !harm.yes {
        let (api, _) = order.counter(env)?;
        let told =
            block_on(print::during("waiting for the watchdog", api.text(&format!("/api/v1/targets/{}", target.0))))?;
        let detail: Detail =
            serde_json::from_str(&told).context("its answer is not understood: is it of this version?")?;
        if detail.care.destroys.iter().any(|remedy| remedy == "restart") {
            confirm(&target.0, "restart")?;
        }
    }
    order.place(env, &of_target(target, "restart"), vec![("force", Value::from(harm.force))])
}

/// Orders that a session is brought back.
pub(super) fn restore(args: &RestoreArgs, env: &Env) -> anyhow::Result<Outcome> {
    let RestoreArgs { target, attempt, force, order } = args;
    let more = vec![("attempt", Value::from(attempt.to_string())), ("force", Value::from(*force))];
    order.place(env, &of_target(target, "restore"), more)
}

/// Orders a reset.
pub(super) fn reset(args: &ResetArgs, env: &Env) -> anyhow::Result<Outcome> {
    let ResetArgs { target, harm, order } = args;
    if !harm.yes {
        confirm(&target.0, "reset")?;
    }
    order.place(env, &of_target(target, "reset"), vec![("force", Value::from(harm.force))])
}

impl Order {
    fn place(&self, env: &Env, path: &str, more: Vec<(&str, Value)>) -> anyhow::Result<Outcome> {
        let reason = self.reason.trim();
        if reason.is_empty() {
            return Err(Misuse(String::from("--reason is empty: say why, it goes into the ledger")).into());
        }
        let user = || env.get("USER").filter(|user| !user.is_empty()).cloned();
        let who = self.who.clone().or_else(user);
        let who = who.ok_or_else(|| Misuse(String::from("say who orders it with --who: USER is not set here")))?;
        let mut body =
            Map::from_iter([("reason".to_owned(), Value::from(reason)), ("who".to_owned(), Value::from(who))]);
        body.extend(more.into_iter().map(|(key, value)| (key.to_owned(), value)));
        let (api, token) = self.counter(env)?;
        let reply = block_on(print::during(
            "waiting for the watchdog",
            api.post(path, serde_json::to_vec(&body)?, token.as_ref()),
        ))?;
        self.tell(&reply)
    }

    fn tell(&self, Reply { status, text }: &Reply) -> anyhow::Result<Outcome> {
        match self.format {
            Format::Json => print::line(text.trim_end())?,
            Format::Text if status.is_success() => {
                let Accepted { what, attempt } = serde_json::from_str(text).context("its answer is not understood")?;
                let attempt = attempt.map_or_else(String::new, |id| format!(" (attempt {id})"));
                print::line(&format!("{what}{attempt}"))?;
            }
            Format::Text => match serde_json::from_str(text) {
                Ok(Complaint { error, hint }) => print::complain(&format!("refused: {error}\nhint: {hint}")),
                Err(_) => print::complain(&format!("refused: it answered {status}")),
            },
        }
        Ok(match *status {
            status if status.is_success() => Outcome::Well,
            StatusCode::BAD_REQUEST => Outcome::Misused,
            _ => Outcome::NotWell,
        })
    }

    /// Finds where to order, and with which token.
    fn counter(&self, env: &Env) -> anyhow::Result<(Api, Option<SecretString>)> {
        let named = env.get("WA_WATCHDOG_CONFIG").filter(|name| !name.is_empty());
        let server = match (&self.config, named) {
            (Some(file), _) => Some(server(config::load(file, env))?),
            (None, Some(name)) => unless_bad("WA_WATCHDOG_CONFIG", server(config::load(Path::new(name), env))),
            (None, None) if is_by_environment(env) => unless_bad("the environment", server(by_environment(env))),
            (None, None) => None,
        };
        let (listen, secret) = server.map(|server| (server.listen, server.token)).unzip();
        let named = self.token_file.clone().filter(|file| !file.as_os_str().is_empty()).map(Secret::File);
        let secret = named.or_else(|| secret.flatten());
        let unreadable = "the token for orders cannot be read (--token-file, or token_file of the section server)";
        let token = secret.map(|secret| secret.read().context(unreadable)).transpose()?;
        Ok((self.api.clone().or(listen.map(reachable)), token))
    }
}

impl Whom {
    fn path(&self, word: &str) -> String {
        self.target.as_ref().map_or_else(|| format!("/api/v1/{word}"), |target| of_target(target, word))
    }
}

fn of_target(target: &TargetName, word: &str) -> String {
    format!("/api/v1/targets/{}/{word}", target.0)
}

fn server(read: Result<Settings, Vec<Problem>>) -> Result<config::Server, Misuse> {
    read.map(|settings| settings.server).map_err(|problems| Misuse(list(&problems)))
}

/// A bad configuration must not stand between a person and a pause.
fn unless_bad(what: &str, found: Result<config::Server, Misuse>) -> Option<config::Server> {
    found.inspect_err(|error| print::complain(&format!("{what} is not used: {error}"))).ok()
}

/// Writes the URL of a listener, as this machine reaches it.
pub(super) fn reachable(listen: SocketAddr) -> String {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    format!("http://{}", SocketAddr::new(ip, listen.port()))
}

/// Checks a span, and leaves it as it is written.
fn span(text: &str) -> Result<String, humantime::DurationError> {
    humantime::parse_duration(text).map(|_| text.to_owned())
}

/// Asks a person to type the name of the session that will be destroyed.
fn confirm(target: &TargetId, what: &str) -> anyhow::Result<()> {
    if !io::stdin().is_terminal() {
        let why = format!(
            "a {what} of {target} destroys its session, and nobody can be asked here; add --yes if you mean it"
        );
        return Err(Misuse(why).into());
    }
    let mut out = io::stderr().lock();
    write!(
        out,
        "A {what} destroys the session of {target}: a person with the phone must link it anew.\nType {target} to go on: "
    )?;
    out.flush()?;
    let mut typed = String::new();
    io::stdin().read_line(&mut typed)?;
    if typed.trim() == target.as_str() {
        return Ok(());
    }
    Err(Misuse(String::from("not confirmed: nothing was done")).into())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn where_the_environment_alone_says_what_to_watch_it_says_the_token_too() {
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("token");
        std::fs::write(&token, "t0ken").unwrap();
        let twins = [
            ("WA_WATCHDOG_CONFIG", ""),
            ("WA_WATCHDOG__SERVER__LISTEN", "0.0.0.0:19877"),
            ("WA_WATCHDOG__SERVER__TOKEN_FILE", token.to_str().unwrap()),
            ("WA_WATCHDOG__TARGET__SHOP__DIALECT", "whatsapp-service"),
            ("WA_WATCHDOG__TARGET__SHOP__URL", "http://whatsapp-service:3001"),
        ];
        let env: Env = twins.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let args = ["wa-watchdog", "pause", "shop", "--reason", "r"];
        let Command::Pause(args) = Cli::parse_from(args).command else { unreachable!("a pause") };
        let (api, found) = args.order.counter(&env).unwrap();
        assert_eq!((api.named(), found.unwrap().expose_secret()), (Some("http://127.0.0.1:19877"), "t0ken"));
    }

    #[test]
    fn a_listener_on_every_address_is_reached_on_loopback() {
        let of = |listen: &str| reachable(listen.parse().unwrap());
        assert_eq!(of("0.0.0.0:9877"), "http://127.0.0.1:9877");
        assert_eq!(of("[::]:9877"), "http://[::1]:9877");
        assert_eq!(of("192.0.2.7:80"), "http://192.0.2.7:80");
    }
}
