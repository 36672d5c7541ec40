//! What shows that whoever pushes knows the secret.

use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use hyper::header::HeaderMap;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha512;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::PushKind;
use crate::config::Secret;
use crate::web::Desk;
use crate::web::warden::{bearer, is_same};

/// How long reading the secrets may take, turn and all.
const READ_WITHIN: Duration = Duration::from_secs(2);
/// How long a signature is, in bytes.
const SIGNATURE_BYTES: usize = 64;

/// The secret, and the one before it.
pub(super) struct Keys(Vec<SecretString>);

/// What came with a push.
pub(super) enum Sent<'a> {
    /// The secret itself.
    Secret(&'a str),
    /// An HMAC-SHA512 of the body.
    Signature([u8; SIGNATURE_BYTES]),
}

/// Reads secrets anew, off the runtime's own threads, a few at a time: a disk that hangs must not take every thread.
pub(super) async fn read(desk: &Desk, secret: &Secret, previous: Option<&Secret>) -> Option<Keys> {
    let (secret, previous) = (secret.clone(), previous.cloned());
    let places = Arc::clone(&desk.secrets);
    let reading = async {
        let place = places.acquire_owned().await.map_err(|error| error.to_string())?;
        let read = spawn_blocking(move || {
            // The place is given back when the disk has answered, also where nobody waits any more.
            let _place = place;
            let first = secret.read().map_err(|error| error.to_string())?;
            // One that is taken away has been changed for good.
            let before = previous.and_then(|previous| previous.read().ok());
            Ok(Keys([first].into_iter().chain(before).collect()))
        });
        read.await.map_err(|error| error.to_string())?
    };
    let why = match timeout(READ_WITHIN, reading).await {
        Ok(Ok(keys)) => return Some(keys),
        Ok(Err(why)) => why,
        Err(_) => String::from("it takes too long"),
    };
    if desk.pushers.lets_pass(desk.now()) {
        tracing::error!(why, "the secret of what is pushed cannot be read, so nothing is taken");
    }
    None
}

/// Finds what came with a push; none where there is nothing, or more than one.
pub(super) fn sent(kind: PushKind, headers: &HeaderMap) -> Option<Sent<'_>> {
    match kind {
        PushKind::Wasender => only(headers, "x-webhook-signature").map(Sent::Secret),
        PushKind::Waha => only(headers, "x-webhook-hmac").and_then(signature).map(Sent::Signature),
        PushKind::Evolution => only(headers, "apikey").or_else(|| bearer(headers)).map(Sent::Secret),
        PushKind::Plain | PushKind::Activity | PushKind::Log | PushKind::Alertmanager => {
            bearer(headers).map(Sent::Secret)
        }
    }
}

impl Sent<'_> {
    /// Tells whether it belongs to one body alone.
    pub(super) fn signs(&self) -> bool {
        match self {
            Self::Signature(_) => true,
            Self::Secret(_) => false,
        }
    }
}

impl Keys {
    /// Tells whether one of them was used, in a time that does not tell which, or how nearly.
    pub(super) fn open(&self, sent: &Sent<'_>, body: &[u8]) -> bool {
        let opens = |key: &SecretString| match sent {
            Sent::Secret(given) => is_same(given.as_bytes(), key.expose_secret().as_bytes()),
            Sent::Signature(given) => {
                Hmac::<Sha512>::new_from_slice(key.expose_secret().as_bytes()).is_ok_and(|mut mac| {
                    mac.update(body);
                    mac.verify_slice(given).is_ok()
                })
            }
        };
        self.0.iter().fold(false, |open, key| open | opens(key))
    }
}

fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut given = headers.get_all(name).iter();
    let first = given.next().filter(|_| given.next().is_none())?.to_str().ok()?.trim();
    (!first.is_empty()).then_some(first)
}

/// Reads a signature in hexadecimal.
fn signature(text: &str) -> Option<[u8; SIGNATURE_BYTES]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |[high, low]: &[u8; 2]| Some(digit(*high)?.saturating_mul(16).saturating_add(digit(*low)?));
    let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
    bytes.filter(|_| rest.is_empty())?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(keys: &[&str]) -> Keys {
        Keys(keys.iter().map(|key| SecretString::from(*key)).collect())
    }

    #[test]
    fn a_body_is_signed_with_either_secret() {
        // RFC 4231, 4.3.
        let signed = "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554\
                      9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737";
        let body = b"what do ya want for nothing?";
        let sent = |text: &str| Sent::Signature(signature(text).unwrap());
        assert!(keys(&["Jefe"]).open(&sent(signed), body));
        assert!(keys(&["new", "Jefe"]).open(&sent(&signed.to_uppercase()), body));
        assert!(!keys(&["Jefe"]).open(&sent(signed), b"what do ya want for nothing"));
        assert!(!keys(&["jefe", "Jef"]).open(&sent(signed), body));
    }

    #[test]
    fn what_is_no_signature_is_none() {
        let hex = "0f".repeat(SIGNATURE_BYTES);
        assert_eq!(signature(&hex), Some([15; SIGNATURE_BYTES]));
        for wrong in
            ["", "0f", hex.split_at(1).1, &format!("{hex}0f"), &hex.replace("0f", "0g"), &hex.replace("0f", "ö")]
        {
            assert_eq!(signature(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn each_kind_has_its_header_and_two_are_none() {
        let of = |kind, pairs: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, value.parse().unwrap());
            }
            match sent(kind, &headers) {
                Some(Sent::Secret(secret)) => Some(secret.to_owned()),
                Some(Sent::Signature(_)) => Some("signature".to_owned()),
                None => None,
            }
        };
        let hex = "ab".repeat(SIGNATURE_BYTES);
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(of(PushKind::Wasender, &[("x-webhook-signature", " s ")]), some("s"));
        assert_eq!(of(PushKind::Wasender, &[("x-webhook-signature", "s"), ("x-webhook-signature", "s")]), None);
        assert_eq!(of(PushKind::Wasender, &[("authorization", "Bearer s")]), None);
        assert_eq!(of(PushKind::Waha, &[("x-webhook-hmac", &hex)]), some("signature"));
        assert_eq!(of(PushKind::Waha, &[("authorization", "Bearer s")]), None);
        assert_eq!(of(PushKind::Evolution, &[("apikey", "s")]), some("s"));
        assert_eq!(of(PushKind::Evolution, &[("authorization", "Bearer s")]), some("s"));
        for kind in [PushKind::Plain, PushKind::Activity, PushKind::Log, PushKind::Alertmanager] {
            assert_eq!(of(kind, &[("authorization", "Bearer s")]), some("s"));
            assert_eq!(of(kind, &[("apikey", "s"), ("x-webhook-signature", "s")]), None);
        }
    }
}
