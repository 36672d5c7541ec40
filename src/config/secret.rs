//! Secrets, read at each use.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

use super::Secret;
use super::node::Place;
use super::problem::Report;
use super::section::{Item, Section};

/// Longest secret, in bytes. A file beyond it is not the one that was meant.
const SECRET_BYTES_MAX: usize = 64 * 1024;

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
}

impl Secret {
    /// Reads it. A file may block for as long as its disk does.
    pub fn read(&self) -> Result<SecretString, Unreadable> {
        match self {
            Self::File(path) => checked(&file(path)?),
            Self::Env(name) => checked(&env(name)?),
        }
    }
}

/// Takes `token_file` or `token_env`, and tries it.
///
/// No problem repeats a value: it may be the token itself, put into the wrong key.
pub(super) fn take(
    section: &mut Section,
    report: &mut Report,
    base_dir: &Path,
    variables: &BTreeMap<String, String>,
) -> Option<Secret> {
    let (file, env) = (section.take("token_file"), section.take("token_env"));
    match (file, env) {
        (None, None) => None,
        (Some(file), None) => from_file(&file, report, base_dir),
        (None, Some(env)) => from_env(&env, report, variables),
        (Some(_), Some(env)) => {
            env.refuse(report, "stands beside token_file", "the token comes from one of the two: take the other out");
            None
        }
    }
}

fn from_file(item: &Item, report: &mut Report, base_dir: &Path) -> Option<Secret> {
    let path = base_dir.join(item.text(report)?);
    let secret = Secret::File(path.clone());
    if let Err(error) = secret.read() {
        let why = match &error {
            Unreadable::File(cause) => format!("{error}: {cause}"),
            Unreadable::Env | Unreadable::Empty | Unreadable::TooLong | Unreadable::NotAToken => error.to_string(),
        };
        let hint = "name a file that holds the token alone; a relative path begins at the folder of the configuration";
        item.refuse(report, why, hint);
        return None;
    }
    warn_if_open(&path, &item.node.at, &item.key, report);
    Some(secret)
}

fn from_env(item: &Item, report: &mut Report, variables: &BTreeMap<String, String>) -> Option<Secret> {
    let name = item.text(report)?.trim();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !name.bytes().all(is_plain) || name.starts_with(|first: char| first.is_ascii_digit()) {
        let hint = "write the name of the variable that holds the token, as in \"WASENDER_TOKEN\"";
        item.refuse(report, "is not the name of an environment variable", hint);
        return None;
    }
    let found = variables.get(name).ok_or(Unreadable::Env);
    if let Err(error) = found.and_then(|text| checked(text)) {
        item.refuse(report, error.to_string(), "set the variable that is named here; it holds the token alone");
        return None;
    }
    Some(Secret::Env(name.to_owned()))
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

    use secrecy::ExposeSecret as _;

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
    fn a_variable_is_read() {
        // Cargo sets it for every test.
        let secret = Secret::Env("CARGO_MANIFEST_DIR".to_owned());
        assert_eq!(secret.read().unwrap().expose_secret(), env!("CARGO_MANIFEST_DIR"));
    }
}
