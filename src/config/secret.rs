//! Secrets, read at each use.

use std::fs::File;
use std::io::{self, Read};

use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

use super::Secret;

/// Longest secret, in bytes. A file beyond it is not the one that was meant.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

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
}

impl Secret {
    /// Reads it. A file may block for as long as its disk does.
    pub fn read(&self) -> Result<SecretString, Unreadable> {
        let text = Zeroizing::new(match self {
            Self::File(path) => {
                let mut text = String::new();
                let file = File::open(path).map_err(Unreadable::File)?;
                file.take(SECRET_BYTES_MAX.saturating_add(1)).read_to_string(&mut text).map_err(Unreadable::File)?;
                text
            }
            Self::Env(name) => env(name)?,
        });
        if usize::try_from(SECRET_BYTES_MAX).is_ok_and(|max| max < text.len()) {
            return Err(Unreadable::TooLong);
        }
        match text.trim() {
            "" => Err(Unreadable::Empty),
            secret => Ok(SecretString::from(secret)),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the place where the environment is read")]
fn env(name: &str) -> Result<String, Unreadable> {
    std::env::var(name).map_err(|_| Unreadable::Env)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use secrecy::ExposeSecret;

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
        assert_eq!(why(&Secret::File(path.clone())), "the file cannot be read");
        fs::write(&path, "\n").unwrap();
        assert_eq!(why(&Secret::File(path.clone())), "it is empty");
        fs::write(&path, "x".repeat(70_000)).unwrap();
        assert_eq!(why(&Secret::File(path)), "it is longer than 65536 bytes");
        let unset = Secret::Env("WA_WATCHDOG_TEST_NEVER_SET".to_owned());
        assert_eq!(why(&unset), "the environment variable is not set, or is not text");
    }
}
