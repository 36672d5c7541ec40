//! How wide a text is on a terminal, and how it is cut and wrapped.

use unicode_width::UnicodeWidthStr;

/// Stands where a text was cut.
const CUT: &str = "…";

/// Returns how many columns a text takes: two for each character of Chinese and for most emoji, none for an accent.
pub(in crate::cli) fn columns(text: &str) -> usize {
    text.width()
}

/// Cuts a text to a width; what was cut shows.
pub(in crate::cli) fn cut(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let room = width.saturating_sub(columns(CUT));
    let kept = split(text, room).0.trim_end();
    if width == 0 { String::new() } else { format!("{kept}{CUT}") }
}

/// Breaks a text into lines no wider than `width`, between words where it can. Spaces before the first word stay, and every further
/// line stands two columns deeper than those.
pub(in crate::cli) fn wrap(text: &str, width: usize) -> Vec<String> {
    let body = text.trim_start_matches(' ');
    let margin = columns(text).saturating_sub(columns(body));
    hang(text, if margin == 0 { 0 } else { margin.saturating_add(2) }, Some(width))
}

/// Wraps a text into at most so many lines; what was cut shows.
pub(in crate::cli) fn wrap_within(text: &str, width: usize, lines_max: usize) -> Vec<String> {
    let mut lines = wrap(text, width);
    if lines_max < lines.len() {
        lines.truncate(lines_max);
        if let Some(last) = lines.last_mut() {
            *last = if columns(last) < width { format!("{last}{CUT}") } else { cut(&format!("{last}{CUT}"), width) };
        }
    }
    lines
}

/// Wraps a text so that all but its first line stand deeper; without a width it stays one line.
pub(in crate::cli) fn hang(text: &str, deeper: usize, width: Option<usize>) -> Vec<String> {
    let Some(width) = width.filter(|width| *width < columns(text)) else { return vec![text.to_owned()] };
    // Where the margin would take the most of a line it takes nothing.
    let (text, deeper) =
        if deeper.saturating_mul(2) < width { (text, deeper) } else { (text.trim_start_matches(' '), 0) };
    let margin = " ".repeat(deeper);
    let (mut lines, mut left, mut room) = (Vec::new(), text, width);
    while !left.is_empty() {
        let (line, rest) = split_at_word(left, room);
        let margin = if lines.is_empty() { "" } else { margin.as_str() };
        lines.push(format!("{margin}{}", line.trim_end()));
        (left, room) = (rest.trim_start_matches(' '), width.saturating_sub(deeper));
    }
    lines
}

/// Splits off what fits a line, between words where it can. A line takes at least one character, or there would be no end.
fn split_at_word(text: &str, room: usize) -> (&str, &str) {
    let (head, tail) = split(text, room);
    if tail.is_empty() || tail.starts_with(' ') {
        return (head, tail);
    }
    let begins = head.len().saturating_sub(head.trim_start_matches(' ').len());
    match head.rfind(' ').filter(|at| begins < *at) {
        Some(at) => text.split_at_checked(at).unwrap_or((head, tail)),
        None if head.len() == begins => split_first(text, begins),
        None => (head, tail),
    }
}

/// Splits a text after as many characters as fit.
fn split(text: &str, room: usize) -> (&str, &str) {
    let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    let fits = |end: &usize| text.get(..*end).is_some_and(|head| columns(head) <= room);
    let end = ends.take_while(fits).last().unwrap_or(0);
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// Splits behind the first character that is no space, however wide it is.
fn split_first(text: &str, begins: usize) -> (&str, &str) {
    let first = text.get(begins..).and_then(|text| text.chars().next()).map_or(0, char::len_utf8);
    text.split_at_checked(begins.saturating_add(first)).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_count_by_the_columns_they_take() {
        assert_eq!(columns("shop"), 4);
        assert_eq!(columns("商店"), 4);
        assert_eq!(columns("🔥"), 2);
        assert_eq!(columns("e\u{301}"), 1);
    }

    #[test]
    fn what_was_cut_shows() {
        assert_eq!(cut("a sentence", 10), "a sentence");
        assert_eq!(cut("a sentence", 9), "a senten…");
        assert_eq!(cut("商店商店", 6), "商店…");
        assert_eq!(cut("ab", 0), "");
    }

    #[test]
    fn a_text_wraps_between_words_and_breaks_only_a_word_that_fits_no_line() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh ij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("商店商", 4), ["商店", "商"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(wrap("商", 1), ["商"]);
    }

    #[test]
    fn what_is_indented_stays_so() {
        assert_eq!(wrap("  run: done in 1 s", 12), ["  run: done", "    in 1 s"]);
    }

    #[test]
    fn at_most_so_many_lines() {
        assert_eq!(wrap_within("one two three four", 9, 1), ["one two…"]);
        assert_eq!(wrap_within("one two three four", 7, 2), ["one two", "three…"]);
        assert_eq!(wrap_within("abcdefgh", 4, 1), ["abc…"]);
    }

    #[test]
    fn a_hanging_indent_holds_what_follows() {
        assert_eq!(hang("ok   shop: connected in 3 ms", 5, Some(18)), ["ok   shop:", "     connected in", "     3 ms"]);
        assert_eq!(hang("as it is", 5, None), ["as it is"]);
    }

    #[test]
    fn no_line_is_wider_than_it_may_be() {
        let text = "  évidence: 商店 saw 🔥🔥 sixteen returns in four minutes, antidisestablishmentarianism";
        for width in 2..100 {
            for line in wrap(text, width).iter().chain(&wrap_within(text, width, 2)).chain(&hang(text, 6, Some(width)))
            {
                assert!(columns(line) <= width, "{width}: {line:?}");
            }
        }
    }
}
