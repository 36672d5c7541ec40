//! Secrets, read at each use.

use std::fs::File;
use std::io::{self, Read as _};
use std::ops::RangeInclusive;
use std::path::Path;

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};

use super::node::Place;
use super::problem::Report;
use super::scope::Scope;
use super::section::{Item, Section};
use super::{Secret, Signing};

/// Longest secret, in bytes. A file beyond it is not the one that was meant.
const SECRET_BYTES_MAX: usize = 64 * 1024;

/// What a signing secret begins with.
const SIGNING_PREFIX: &str = "whsec_";
/// How long a signing secret is, in bytes.
const SIGNING_BYTES: RangeInclusive<usize> = 24..=64;
/// The digits of base64, in the order of what they stand for (RFC 4648, 4).
const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Where container runtimes put secrets, readable by everybody in the container and by nobody else.
#[cfg(unix)]
const RUNTIME_SECRETS: &str = "/run/secrets";

/// Why a secret cannot be read. Never holds any of it.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The file cannot be read.
    #[error("the file cannot be read")]
    File(#[source] io::Error),
    /// The environment variable is not set, or is not text.
    #[error("the environment variable is not set, or is not text")]
    Env,
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// It is longer than any secret.
    #[error("it is longer than {SECRET_BYTES_MAX} bytes")]
    TooLong,
    /// It would break the header in which it is sent (RFC 9110, 5.5).
    #[error("it holds characters that no token has, such as a line break")]
    NotAToken,
    /// It is no number of a phone (E.164).
    #[error("it is not the number of a phone, as +491511234567")]
    NotAPhoneNumber,
    /// It cannot sign (Standard Webhooks).
    #[error("it is not a signing secret: \"whsec_\" and the base64 of 24 to 64 random bytes")]
    NotASigningSecret,
}

/// What a secret is for: which keys name it, and what it looks like.
#[derive(Debug)]
pub(super) struct Kind {
    file: &'static str,
    env: &'static str,
    noun: &'static str,
    form: Form,
}

/// What a secret looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Token,
    Signing,
    Phone,
}

/// Lets somebody in.
pub(super) const TOKEN: Kind = Kind { file: "token_file", env: "token_env", noun: "token", form: Form::Token };
/// Lets somebody in at the vendor behind a backend.
pub(super) const VENDOR_TOKEN: Kind =
    Kind { file: "vendor_token_file", env: "vendor_token_env", noun: "token", form: Form::Token };
/// The number that a session is made for.
pub(super) const PHONE: Kind = Kind { file: "phone_file", env: "phone_env", noun: "number", form: Form::Phone };
/// Signs.
pub(super) const SIGNING: Kind = Kind { file: "secret_file", env: "secret_env", noun: "secret", form: Form::Signing };
/// Signed before it was rotated.
pub(super) const PREVIOUS: Kind =
    Kind { file: "previous_secret_file", env: "previous_secret_env", noun: "secret", form: Form::Signing };

/// Lets in what is pushed.
pub(super) const INBOUND: Kind = Kind { file: "secret_file", env: "secret_env", noun: "secret", form: Form::Token };
/// Let it in before it was changed.
pub(super) const INBOUND_PREVIOUS: Kind =
    Kind { file: "previous_secret_file", env: "previous_secret_env", noun: "secret", form: Form::Token };

impl Secret {
    /// Reads it. A file may block for as long as its disk does.
    pub fn read(&self) -> Result<SecretString, Unreadable> {
        match self {
            Self::File(path) => checked(&file(path)?),
            Self::Env(name) => checked(&env(name)?),
        }
    }
}

/// Takes the file or the variable that holds a secret, and tries it.
///
/// No problem repeats a value: it may be the secret itself, put into the wrong key.
pub(super) fn take(section: &mut Section, scope: &mut Scope<'_>, kind: &Kind) -> Option<Secret> {
    let (file, env) = (section.take(kind.file), section.take(kind.env));
    match (file, env) {
        (None, None) => None,
        (Some(file), None) => from_file(&file, scope, kind),
        (None, Some(env)) => from_env(&env, scope, kind),
        (Some(_), Some(env)) => {
            let Kind { file, noun, .. } = kind;
            let hint = format!("the {noun} comes from one of the two: take the other out");
            env.refuse(scope.report, format!("stands beside {file}"), hint);
            None
        }
    }
}

/// Takes what signs calls: a secret, and the one before it while it is being rotated.
pub(super) fn take_signing(section: &mut Section, scope: &mut Scope<'_>) -> Option<Signing> {
    let said = [SIGNING.file, SIGNING.env].iter().any(|key| section.peek(key).is_some());
    let secret = take(section, scope, &SIGNING);
    let before = [PREVIOUS.file, PREVIOUS.env].iter().find_map(|key| section.peek(key));
    let previous = take(section, scope, &PREVIOUS);
    if let (false, Some(before)) = (said, before) {
        let hint = "write the new secret into secret_file or secret_env; both sign until this one is taken out";
        before.refuse(scope.report, "stands without the secret that comes after it", hint);
    }
    Some(Signing { secret: secret?, previous })
}

fn from_file(item: &Item, scope: &mut Scope<'_>, kind: &Kind) -> Option<Secret> {
    let path = scope.base_dir.join(item.text(scope.report)?);
    let secret = Secret::File(path.clone());
    if let Err(error) = secret.read().and_then(|secret| kind.check(&secret)) {
        let why = match &error {
            Unreadable::File(cause) => format!("{error}: {cause}"),
            Unreadable::Env
            | Unreadable::Empty
            | Unreadable::TooLong
            | Unreadable::NotAToken
            | Unreadable::NotAPhoneNumber
            | Unreadable::NotASigningSecret => error.to_string(),
        };
        let noun = kind.noun;
        let hint = format!(
            "name a file that holds the {noun} alone; a relative path begins at the folder of the configuration"
        );
        item.refuse(scope.report, why, hint);
        return None;
    }
    warn_if_open(&path, &item.node.at, &item.key, scope.report);
    Some(secret)
}

fn from_env(item: &Item, scope: &mut Scope<'_>, kind: &Kind) -> Option<Secret> {
    let (name, noun) = (item.text(scope.report)?.trim(), kind.noun);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !name.bytes().all(is_plain) || name.starts_with(|first: char| first.is_ascii_digit()) {
        let hint = format!("write the name of the variable that holds the {noun}, as in \"WASENDER_TOKEN\"");
        item.refuse(scope.report, "is not the name of an environment variable", hint);
        return None;
    }
    let found = scope.env.get(name).ok_or(Unreadable::Env);
    if let Err(error) = found.and_then(|text| checked(text)).and_then(|secret| kind.check(&secret)) {
        let hint = format!("set the variable that is named here; it holds the {noun} alone");
        item.refuse(scope.report, error.to_string(), hint);
        return None;
    }
    Some(Secret::Env(name.to_owned()))
}

impl Kind {
    /// Returns the keys that name it.
    pub(super) fn keys(&self) -> [&'static str; 2] {
        [self.file, self.env]
    }

    fn check(&self, secret: &SecretString) -> Result<(), Unreadable> {
        match self.form {
            Form::Token => Ok(()),
            Form::Signing if can_sign(secret.expose_secret()) => Ok(()),
            Form::Signing => Err(Unreadable::NotASigningSecret),
            Form::Phone if is_phone(secret.expose_secret()) => Ok(()),
            Form::Phone => Err(Unreadable::NotAPhoneNumber),
        }
    }
}

/// Tells whether a text is the number of a phone: `+` and 7 to 15 digits, the first of which is not 0 (E.164).
#[must_use]
pub fn is_phone(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len()) && !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Tells whether a text is a signing secret, without decoding it.
fn can_sign(text: &str) -> bool {
    let Some(base64) = text.strip_prefix(SIGNING_PREFIX) else { return false };
    let digits = base64.trim_end_matches('=');
    let padding = base64.len().saturating_sub(digits.len());
    let is_whole = base64.len().is_multiple_of(4) && padding <= 2;
    let bytes = digits.len().saturating_mul(3).checked_div(4).unwrap_or_default();
    // What the last digit says beyond the last byte must be nothing (RFC 4648, 3.5): decoders refuse it.
    let last = digits.bytes().last().and_then(|digit| BASE64.bytes().position(|other| other == digit));
    let spare: usize = match padding {
        1 => 4,
        2 => 16,
        _ => 1,
    };
    is_whole
        && digits.bytes().all(|digit| BASE64.bytes().any(|other| other == digit))
        && last.is_some_and(|last| last.is_multiple_of(spare))
        && SIGNING_BYTES.contains(&bytes)
}

fn file(path: &Path) -> Result<Zeroizing<String>, Unreadable> {
    // Whatever opens a pipe waits for its writer.
    if !path.metadata().map_err(Unreadable::File)?.is_file() {
        return Err(Unreadable::File(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file")));
    }
    let mut text = Zeroizing::new(String::new());
    let limit = u64::try_from(SECRET_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path).and_then(|file| file.take(limit).read_to_string(&mut text)).map_err(Unreadable::File)?;
    Ok(text)
}

#[expect(clippy::disallowed_methods, reason = "this is the place where the environment is read")]
fn env(name: &str) -> Result<Zeroizing<String>, Unreadable> {
    std::env::var(name).map(Zeroizing::new).map_err(|_| Unreadable::Env)
}

fn checked(text: &str) -> Result<SecretString, Unreadable> {
    if SECRET_BYTES_MAX < text.len() {
        return Err(Unreadable::TooLong);
    }
    match text.trim() {
        "" => Err(Unreadable::Empty),
        secret if secret.contains(|c: char| !c.is_ascii() || c.is_ascii_control()) => Err(Unreadable::NotAToken),
        secret => Ok(SecretString::from(secret)),
    }
}

#[cfg(unix)]
fn warn_if_open(path: &Path, at: &Place, key: &str, report: &mut Report) {
    use std::os::unix::fs::PermissionsExt as _;
    let is_open = path.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0);
    if is_open && !path.starts_with(RUNTIME_SECRETS) {
        report.warn(at, key, "everybody on this machine can read the file", "take the right away: chmod o-r");
    }
}

#[cfg(not(unix))]
fn warn_if_open(_path: &Path, _at: &Place, _key: &str, _report: &mut Report) {}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn white_space_around_a_secret_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "  s3cret\r\n").unwrap();
        assert_eq!(Secret::File(path).read().unwrap().expose_secret(), "s3cret");
    }

    #[test]
    fn a_secret_that_cannot_be_read_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let why = |secret: &Secret| secret.read().unwrap_err().to_string();
        let file = Secret::File(path.clone());
        assert_eq!(why(&file), "the file cannot be read");
        assert_eq!(why(&Secret::File(folder.path().to_owned())), "the file cannot be read");
        for (content, expected) in [
            ("\n", "it is empty"),
            (&"x".repeat(70_000), "it is longer than 65536 bytes"),
            ("one\ntwo", "it holds characters that no token has, such as a line break"),
            ("töken", "it holds characters that no token has, such as a line break"),
        ] {
            fs::write(&path, content).unwrap();
            assert_eq!(why(&file), expected);
        }
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert_eq!(why(&file), "the file cannot be read");
        let unset = Secret::Env("WA_WATCHDOG_TEST_NEVER_SET".to_owned());
        assert_eq!(why(&unset), "the environment variable is not set, or is not text");
    }

    #[test]
    fn the_longest_secret_is_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "x".repeat(SECRET_BYTES_MAX)).unwrap();
        assert_eq!(Secret::File(path).read().unwrap().expose_secret().len(), SECRET_BYTES_MAX);
    }

    #[test]
    fn what_can_sign_has_a_form() {
        for good in [
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned(),
            format!("whsec_{}==", "A".repeat(34)),
            format!("whsec_{}=", "A".repeat(35)),
            format!("whsec_{}==", "A".repeat(86)),
        ] {
            assert!(can_sign(&good), "{good}");
        }
        for bad in [
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned(),
            "whsec_".to_owned(),
            "whsec_====".to_owned(),
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS".to_owned(),
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa-_".to_owned(),
            format!("whsec_{}", "A".repeat(28)),
            format!("whsec_{}=", "A".repeat(87)),
            format!("whsec_{}B==", "A".repeat(33)),
            format!("whsec_{}B=", "A".repeat(34)),
            format!("whsec_{}===", "A".repeat(33)),
        ] {
            assert!(!can_sign(&bad), "{bad}");
        }
    }

    #[test]
    fn a_variable_is_read() {
        // Cargo sets it for every test.
        let secret = Secret::Env("CARGO_MANIFEST_DIR".to_owned());
        assert_eq!(secret.read().unwrap().expose_secret(), env!("CARGO_MANIFEST_DIR"));
    }
}
