//! Small turns of speech that every page uses.

/// Says how many things there are: `1 step`, `3 steps`.
pub(super) fn counted(count: usize, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

/// Writes a word of the API as people write it: `needs_scan` is `needs scan`.
pub(super) fn spaced(word: &str) -> String {
    word.replace('_', " ")
}

/// Makes what is told in passing a sentence of its own.
pub(super) fn sentence(told: &str) -> String {
    let mut letters = told.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_no_things() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "step")), ["0 steps", "1 step", "2 steps"]);
    }

    #[test]
    fn a_sentence_has_a_beginning_and_an_end() {
        assert_eq!(sentence("the path is down; wait"), "The path is down; wait.");
        assert_eq!(sentence(""), "");
    }
}
