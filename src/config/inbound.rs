//! What may be pushed: a target's own news, and alerts about all of them.

use std::ops::RangeInclusive;

use super::scope::Scope;
use super::section::{Item, Section};
use super::{Secret, secret};

/// News of one target within a second.
const RATE: RangeInclusive<u32> = 1..=10_000;
/// The same where nobody says it.
const RATE_DEFAULT: u32 = 50;
/// The label of an alert that names its target, where nobody says it.
const LABEL_DEFAULT: &str = "target";
/// Longest name of a label, in bytes.
const LABEL_BYTES_MAX: usize = 128;

/// What may be pushed about one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inbound {
    /// What a push must carry, or be signed with.
    pub secret: Secret,
    /// What one may carry still, while the secret is being changed.
    pub previous: Option<Secret>,
    /// Most news within a second; those beyond are refused and counted.
    pub rate_max: u32,
}

/// Alerts that Alertmanager sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alertmanager {
    /// What it must send as bearer.
    pub token: Secret,
    /// The label that names the target.
    pub label: String,
}

/// Reads the section of a target. None only where a problem was noted.
pub(super) fn read(item: Item, scope: &mut Scope<'_>) -> Option<Inbound> {
    let mut section = item.section(scope.report)?;
    let is_said = says(&section, &secret::INBOUND);
    let secret = secret::take(&mut section, scope, &secret::INBOUND);
    let previous = secret::take(&mut section, scope, &secret::INBOUND_PREVIOUS);
    let rate = section.take("rate_max");
    let rate_max = rate.map_or(Some(RATE_DEFAULT), |item| item.count(scope.report, RATE));
    if !is_said {
        let hint = "write secret_file or secret_env: whoever pushes must send it, or sign with it";
        section.missing(scope.report, "secret_file", hint);
    }
    section.finish_with(scope.report, |name| {
        (name == "secret").then(|| {
            "a secret is read from secret_file or secret_env, and never stands in the configuration".to_owned()
        })
    });
    Some(Inbound { secret: secret?, previous, rate_max: rate_max? })
}

/// Takes the section about alerts.
pub(super) fn take_alertmanager(root: &mut Section, scope: &mut Scope<'_>) -> Option<Alertmanager> {
    let mut section = root.take_section(scope.report, "alertmanager")?;
    let is_said = says(&section, &secret::TOKEN);
    let token = secret::take(&mut section, scope, &secret::TOKEN);
    let label = section.take("label");
    let label = label.map_or_else(|| Some(LABEL_DEFAULT.to_owned()), |item| label_name(&item, scope));
    if !is_said {
        let hint = "write token_file or token_env: Alertmanager must send it as bearer, in http_config.authorization";
        section.missing(scope.report, "token_file", hint);
    }
    section.finish(scope.report);
    Some(Alertmanager { token: token?, label: label? })
}

fn says(section: &Section, kind: &secret::Kind) -> bool {
    kind.keys().iter().any(|key| section.peek(key).is_some())
}

fn label_name(item: &Item, scope: &mut Scope<'_>) -> Option<String> {
    let is_label = |text: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        (1..=LABEL_BYTES_MAX).contains(&text.len())
            && text.bytes().all(is_plain)
            && !text.starts_with(|first: char| first.is_ascii_digit())
    };
    let read = |text: &str| is_label(text).then(|| text.to_owned());
    item.word(scope.report, read, "the name of a label", "write it as in \"target\" or \"instance\"")
}
