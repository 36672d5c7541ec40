//! Who is signed in: a browser shows the token once and holds a random number instead, in a cookie that no script reads.
//!
//! All of it is kept in memory, and as a hash: whoever reads it cannot sign in with it. A sign-in ends with the token that it was
//! made with, after [`SIGN_IN_IDLE_MAX`] without use, and with the watchdog. The API takes no notice of the cookie.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use hyper::header::{COOKIE, HeaderMap};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use crate::engine::moment::Wall;
use crate::engine::sample::Word;

use super::warden::is_same;
use super::{SIGN_IN_IDLE_MAX, SIGN_INS_MAX};

/// The name of the cookie.
const COOKIE_NAME: &str = "wa_watchdog_sign_in";
/// Where a proxy that speaks TLS says so.
const FORWARDED_PROTO: &str = "x-forwarded-proto";

type Digest = [u8; 32];

/// Everybody who is signed in, who was here last at the end.
#[derive(Debug, Default)]
pub(super) struct SignIns(Mutex<VecDeque<SignIn>>);

/// One who is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SignIn {
    /// The hash of what its cookie holds.
    id: Digest,
    /// The hash of the token that it was made with.
    of_token: Digest,
    /// The name that was given; proposed as the `who` of an order.
    pub(super) who: Word,
    used: Wall,
}

/// Marks the forms of pages, so that only who was shown a form can send it.
#[derive(Debug)]
pub(super) struct Marks(Option<[u8; 32]>);

impl SignIns {
    /// Signs somebody in; returns the cookie, or none where there is no randomness. Beyond [`SIGN_INS_MAX`] the one that was
    /// away longest has to sign in again.
    pub(super) fn begin(&self, who: Word, token: &SecretString, headers: &HeaderMap, now: Wall) -> Option<String> {
        let value = URL_SAFE_NO_PAD.encode(random::<32>()?);
        let sign_in = SignIn { id: digest(&value), of_token: digest(token.expose_secret()), who, used: now };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|other| other.counts(now));
        while SIGN_INS_MAX <= all.len() {
            all.pop_front();
        }
        all.push_back(sign_in);
        Some(cookie(&value, headers))
    }

    /// Finds who sent a request.
    pub(super) fn find(&self, headers: &HeaderMap, now: Wall) -> Option<SignIn> {
        let ids: Vec<Digest> = given(headers).map(digest).collect();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = all.iter().position(|sign_in| ids.contains(&sign_in.id))?;
        let sign_in = all.remove(place).filter(|sign_in| sign_in.counts(now))?;
        let sign_in = SignIn { used: now, ..sign_in };
        all.push_back(sign_in.clone());
        Some(sign_in)
    }

    /// Signs somebody out; returns the cookie that makes the browser forget its own.
    pub(super) fn end(&self, sign_in: &SignIn, headers: &HeaderMap) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|other| other.id != sign_in.id);
        format!("{}; Max-Age=0", cookie("", headers))
    }
}

impl SignIn {
    /// Tells whether the token that it was made with is still the one in force.
    pub(super) fn is_of(&self, token: &SecretString) -> bool {
        is_same(&digest(token.expose_secret()), &self.of_token)
    }

    fn counts(&self, now: Wall) -> bool {
        now.since(self.used) <= SIGN_IN_IDLE_MAX
    }
}

impl Marks {
    /// Takes a key that nobody else knows; without one no form is ever taken.
    pub(super) fn new() -> Self {
        let key = random();
        if key.is_none() {
            tracing::error!("there is no randomness: no form of a page will be taken");
        }
        Self(key)
    }

    /// Returns the mark of the form at a path, for one who is signed in or for who needs not to be.
    pub(super) fn of(&self, path: &str, sign_in: Option<&SignIn>) -> Option<String> {
        // HMAC takes a key of any length (RFC 2104, 2).
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_ref()?).ok()?;
        mac.update(&sign_in.map_or([0; 32], |sign_in| sign_in.id));
        mac.update(path.as_bytes());
        Some(URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }

    /// Tells whether a form carries its mark.
    pub(super) fn fits(&self, given: &str, path: &str, sign_in: Option<&SignIn>) -> bool {
        self.of(path, sign_in).is_some_and(|mark| is_same(given.as_bytes(), mark.as_bytes()))
    }
}

/// Returns bytes that nobody can guess.
pub(super) fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    rustls::crypto::ring::default_provider().secure_random.fill(&mut bytes).ok().map(|()| bytes)
}

/// Writes the cookie. No script reads it, and no other site can make a browser send it. Where TLS ends at a proxy that says so, it
/// never leaves over plain HTTP; on plain HTTP a browser would not take such a cookie, so it is not said there. Who lies in that
/// header can only make a cookie safer.
fn cookie(value: &str, headers: &HeaderMap) -> String {
    let is_tls = headers.get(FORWARDED_PROTO).is_some_and(|proto| proto.as_bytes().eq_ignore_ascii_case(b"https"));
    let secure = if is_tls { "; Secure" } else { "" };
    format!("{COOKIE_NAME}={value}; Path=/; HttpOnly; SameSite=Strict{secure}")
}

fn given(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let texts = headers.get_all(COOKIE).iter().filter_map(|header| header.to_str().ok());
    let pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, value)| *name == COOKIE_NAME && !value.is_empty()).map(|(_, value)| value)
}

fn digest(text: &str) -> Digest {
    Sha256::digest(text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Wall {
        Wall::from_secs(secs)
    }

    fn token(text: &str) -> SecretString {
        SecretString::from(text)
    }

    fn back(cookie: &str) -> HeaderMap {
        let pair = cookie.split(';').next().unwrap();
        HeaderMap::from_iter([(COOKIE, format!("theme=dark; {pair}").parse().unwrap())])
    }

    fn sign_in(all: &SignIns, who: &str, now: i64) -> HeaderMap {
        back(&all.begin(Word::new(who), &token("secret"), &HeaderMap::new(), at(now)).unwrap())
    }

    #[test]
    fn a_cookie_finds_its_sign_in_until_it_ends() {
        let all = SignIns::default();
        let [ana, ben] = ["ana", "ben"].map(|who| sign_in(&all, who, 0));
        let found = all.find(&ana, at(10)).unwrap();
        assert_eq!(found.who.as_str(), "ana");
        assert!(found.is_of(&token("secret")) && !found.is_of(&token("other")));
        assert!(all.end(&found, &ana).contains("Max-Age=0"));
        assert!(all.find(&ana, at(11)).is_none());
        assert!(all.find(&ben, at(11)).is_some());
        assert!(all.find(&HeaderMap::new(), at(11)).is_none());
        assert!(all.find(&back("wa_watchdog_sign_in=nonsense"), at(11)).is_none());
    }

    #[test]
    fn who_stays_away_has_to_sign_in_again() {
        let all = SignIns::default();
        let idle = i64::try_from(SIGN_IN_IDLE_MAX.as_secs()).unwrap();
        let ana = sign_in(&all, "ana", 0);
        assert!(all.find(&ana, at(idle)).is_some());
        assert!(all.find(&ana, at(2 * idle)).is_some(), "each use counts");
        assert!(all.find(&ana, at(3 * idle + 1)).is_none());
        assert!(all.find(&ana, at(2 * idle)).is_none(), "it is gone for good");
    }

    #[test]
    fn beyond_the_limit_the_one_that_was_away_longest_goes() {
        let all = SignIns::default();
        let first = sign_in(&all, "first", 0);
        let second = sign_in(&all, "second", 0);
        assert!(all.find(&first, at(1)).is_some());
        for _ in 2..=SIGN_INS_MAX {
            sign_in(&all, "other", 2);
        }
        assert!(all.find(&second, at(3)).is_none());
        assert!(all.find(&first, at(3)).is_some());
        assert_eq!(all.0.lock().unwrap().len(), SIGN_INS_MAX);
    }

    #[test]
    fn a_cookie_is_kept_from_scripts_other_sites_and_plain_http_behind_tls() {
        let all = SignIns::default();
        let of = |headers: &HeaderMap| all.begin(Word::new("ana"), &token("s"), headers, at(0)).unwrap();
        let plain = of(&HeaderMap::new());
        assert!(plain.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{plain}");
        let https = HeaderMap::from_iter([(FORWARDED_PROTO.parse().unwrap(), "https".parse().unwrap())]);
        assert!(of(&https).ends_with("; Secure"));
        let value = plain.split(['=', ';']).nth(1).unwrap();
        assert!(40 < value.len() && !format!("{all:?}").contains(value), "what the cookie holds is not kept");
    }

    #[test]
    fn a_mark_fits_one_form_of_one_person() {
        let (all, marks) = (SignIns::default(), Marks::new());
        let [ana, ben] = ["ana", "ben"].map(|who| sign_in(&all, who, 0));
        let [ana, ben] = [ana, ben].map(|cookie| all.find(&cookie, at(0)).unwrap());
        let mark = marks.of("/targets/shop/order/reset", Some(&ana)).unwrap();
        assert!(marks.fits(&mark, "/targets/shop/order/reset", Some(&ana)));
        assert!(!marks.fits(&mark, "/targets/shop/order/restart", Some(&ana)));
        assert!(!marks.fits(&mark, "/targets/shop/order/reset", Some(&ben)));
        assert!(!marks.fits(&mark, "/targets/shop/order/reset", None));
        assert!(!marks.fits("", "/targets/shop/order/reset", Some(&ana)));
        assert!(!Marks::new().fits(&mark, "/targets/shop/order/reset", Some(&ana)), "another start, another key");
        assert!(!Marks(None).fits("", "/", None));
    }
}
