//! The word that somebody meant.

/// Longest word that is compared, in characters: the work grows with its square.
const WORD_CHARS_MAX: usize = 40;

/// Returns the known word that was meant by a mistyped one, if any is near enough.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if WORD_CHARS_MAX < word.chars().count() {
        return None;
    }
    let word = word.to_lowercase().replace('-', "_");
    let slips_max = match word.chars().count() {
        0..=3 => 1,
        4..=7 => 2,
        _ => 3,
    };
    let rated = known.into_iter().map(|other| (slips(&word, &other.replace('-', "_")), other));
    rated.filter(|(slips, _)| *slips <= slips_max).min_by_key(|(slips, _)| *slips).map(|(_, other)| other)
}

/// Counts the letters to insert, drop, change or swap with their neighbour (optimal string alignment).
fn slips(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let at = |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX);
    let mut two_above: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    let mut before = None;
    for (number, letter) in (1..).zip(left.chars()) {
        let mut row: Vec<usize> = vec![number];
        for (index, other) in right.iter().enumerate() {
            let next = index.saturating_add(1);
            let change = at(&above, index).saturating_add(usize::from(letter != *other));
            let insert = at(&row, index).saturating_add(1);
            let drop = at(&above, next).saturating_add(1);
            let last = index.checked_sub(1);
            let is_swap = before == Some(*other) && last.and_then(|last| right.get(last)) == Some(&letter);
            let swap = last.filter(|_| is_swap).map_or(usize::MAX, |last| at(&two_above, last).saturating_add(1));
            row.push(change.min(insert).min(drop).min(swap));
        }
        two_above = std::mem::replace(&mut above, row);
        before = Some(letter);
    }
    above.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_counted() {
        for (left, right, count) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("polcy", "policy", 1),
            ("sesion_expird", "session_expired", 2),
            ("ur", "url", 1),
            ("teh", "the", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(slips(left, right), count, "{left} {right}");
        }
    }

    #[test]
    fn only_a_near_word_was_meant() {
        let known = ["policy", "poll_every", "url", "state_loop"];
        assert_eq!(nearest("polcy", known), Some("policy"));
        assert_eq!(nearest("poll-every", known), Some("poll_every"));
        assert_eq!(nearest("StateLoop", known), Some("state_loop"));
        assert_eq!(nearest("uri", known), Some("url"));
        assert_eq!(nearest("zebra", known), None);
        assert_eq!(nearest(&"p".repeat(100_000), known), None);
    }
}
