//! Signatures after [Standard Webhooks](https://www.standardwebhooks.com): HMAC-SHA256 over id, time and body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use sha2::Sha256;

const PREFIX: &str = "whsec_";

/// Shortest key, in bytes.
pub const KEY_BYTES_MIN: usize = 24;
/// Longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 64;

/// A key that signs.
#[derive(Debug)]
pub struct Key(SecretSlice<u8>);

/// Why a secret is no key. Holds nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// It begins otherwise.
    #[error("the signing secret does not begin with {PREFIX}")]
    Prefix,
    /// What follows is not base64.
    #[error("the signing secret is not base64 after {PREFIX}")]
    NotBase64,
    /// It is too short to be safe, or longer than others can take.
    #[error("the signing secret holds {0} bytes; it needs {KEY_BYTES_MIN} to {KEY_BYTES_MAX}")]
    Length(usize),
}

impl Key {
    /// Reads `whsec_` and what follows.
    pub fn parse(secret: &SecretString) -> Result<Self, BadKey> {
        let text = secret.expose_secret().strip_prefix(PREFIX).ok_or(BadKey::Prefix)?;
        let key = SecretSlice::from(STANDARD.decode(text).map_err(|_| BadKey::NotBase64)?);
        match key.expose_secret().len() {
            KEY_BYTES_MIN..=KEY_BYTES_MAX => Ok(Self(key)),
            length => Err(BadKey::Length(length)),
        }
    }

    fn sign(&self, id: &str, unix_secs: i64, body: &[u8]) -> Option<String> {
        // HMAC takes a key of any length.
        let mut mac: Hmac<Sha256> = Hmac::new_from_slice(self.0.expose_secret()).ok()?;
        mac.update(format!("{id}.{unix_secs}.").as_bytes());
        mac.update(body);
        Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    }
}

/// Returns what goes into `webhook-signature`: one signature of each key, so that a receiver may know either.
#[must_use]
pub fn signature(keys: &[Key], id: &str, unix_secs: i64, body: &[u8]) -> String {
    let signatures: Vec<String> = keys.iter().filter_map(|key| key.sign(id, unix_secs, body)).collect();
    signatures.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn key(text: &str) -> Result<Key, BadKey> {
        Key::parse(&SecretString::from(text))
    }

    #[test]
    fn the_vector_of_the_reference_libraries_holds() {
        let body = br#"{"test": 2432232314}"#;
        let sign = |keys: &[Key]| signature(keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(sign(&[key(SECRET).unwrap()]), expected);
        let other = key(&format!("whsec_{}", STANDARD.encode([7; 32]))).unwrap();
        let both = sign(&[other, key(SECRET).unwrap()]);
        let (first, second) = both.split_once(' ').unwrap();
        assert!(first.starts_with("v1,") && first != expected && second == expected, "{both}");
    }

    #[test]
    fn a_bad_secret_says_why_and_not_what() {
        assert_eq!(key("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap_err(), BadKey::Prefix);
        assert_eq!(key("whsec_!").unwrap_err(), BadKey::NotBase64);
        for (length, is_good) in [(23, false), (24, true), (64, true), (65, false)] {
            let made = key(&format!("whsec_{}", STANDARD.encode(vec![1; length])));
            assert_eq!(made.is_ok(), is_good, "{length}");
        }
        assert_eq!(key("whsec_AAAA").unwrap_err().to_string(), "the signing secret holds 3 bytes; it needs 24 to 64");
        assert!(!format!("{:?}", key(SECRET)).contains("MfKQ"));
    }
}
