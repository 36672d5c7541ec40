//! What came of an order, kept until the page that follows has shown it once.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::NOTES_MAX;
use super::sign_in::random;

/// Notes that wait to be shown, oldest first.
#[derive(Debug, Default)]
pub(super) struct Notes(Mutex<VecDeque<(String, String)>>);

impl Notes {
    /// Keeps a note; returns the word under which it is found, which nobody else can guess. Beyond [`NOTES_MAX`] the oldest goes.
    pub(super) fn keep(&self, text: String) -> Option<String> {
        let key = URL_SAFE_NO_PAD.encode(random::<12>()?);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while NOTES_MAX <= all.len() {
            all.pop_front();
        }
        all.push_back((key.clone(), text));
        Some(key)
    }

    /// Takes the note that a query names.
    pub(super) fn take(&self, query: &str) -> Option<String> {
        let (_, key) = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "note")?;
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = all.iter().position(|(known, _)| *known == key)?;
        all.remove(place).map(|(_, text)| text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_shown_once() {
        let notes = Notes::default();
        let key = notes.keep(String::from("paused")).unwrap();
        assert_eq!(notes.take("note=other"), None);
        assert_eq!(notes.take(&format!("q=x&note={key}")).as_deref(), Some("paused"));
        assert_eq!(notes.take(&format!("note={key}")), None);
    }

    #[test]
    fn beyond_the_limit_the_oldest_goes() {
        let notes = Notes::default();
        let keys: Vec<String> = (0..=NOTES_MAX).map(|n| notes.keep(n.to_string()).unwrap()).collect();
        assert_eq!(notes.take(&format!("note={}", keys[0])), None);
        assert_eq!(notes.take(&format!("note={}", keys[1])).as_deref(), Some("1"));
    }
}
