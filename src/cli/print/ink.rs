//! Ink: the colours of meaning, and whether a stream gets any.

use std::io::IsTerminal;
use std::sync::OnceLock;

use clap::ValueEnum;

/// When there are colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Colour {
    /// On a terminal, unless the environment says otherwise.
    #[default]
    #[value(help = "On a terminal, unless NO_COLOR or TERM=dumb is set; with CLICOLOR_FORCE everywhere")]
    Auto,
    /// Everywhere.
    #[value(help = "Also into pipes and files")]
    Always,
    /// Nowhere.
    #[value(help = "Nowhere")]
    Never,
}

/// What the command line said; set once, before anything is printed.
static WANTED: OnceLock<Colour> = OnceLock::new();

/// Remembers what the command line said.
pub(in crate::cli) fn want(colour: Colour) {
    WANTED.get_or_init(|| colour);
}

/// Tells whether colours suit a stream.
pub(in crate::cli) fn colours(stream: &impl IsTerminal) -> bool {
    let wanted = WANTED.get().copied().unwrap_or_default();
    let is_set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let surroundings = Surroundings {
        is_terminal: stream.is_terminal(),
        is_dumb: is_dumb(),
        no_color: is_set("NO_COLOR").is_some(),
        force: is_set("CLICOLOR_FORCE").is_some_and(|value| value != "0"),
    };
    surroundings.suit(wanted)
}

/// Tells whether the terminal can only print: no colours, no moving about.
pub(in crate::cli) fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// What speaks for colours and against them.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "four facts that have nothing to do with each other")]
struct Surroundings {
    is_terminal: bool,
    is_dumb: bool,
    /// <https://no-color.org>
    no_color: bool,
    /// <https://bixense.com/clicolors>
    force: bool,
}

impl Surroundings {
    /// The command line outweighs the environment, and there a no outweighs a yes.
    fn suit(self, wanted: Colour) -> bool {
        match wanted {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => !self.no_color && (self.force || self.is_terminal && !self.is_dumb),
        }
    }
}

/// The colours of meaning. None of them says what no word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Ink {
    /// Well.
    Green,
    /// Suspect, or a thing to look at.
    Yellow,
    /// Failing.
    Red,
    /// Beside the point.
    Dim,
    /// What the eye shall find first.
    Bold,
}

/// Dips a text in ink, where colours suit.
pub(in crate::cli) fn ink(text: &str, ink: Ink, colours: bool) -> String {
    if !colours || text.is_empty() {
        return text.to_owned();
    }
    let code = match ink {
        Ink::Green => 32,
        Ink::Yellow => 33,
        Ink::Red => 31,
        Ink::Dim => 2,
        Ink::Bold => 1,
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ink_is_used_only_where_colours_suit() {
        assert_eq!(ink("x", Ink::Red, false), "x");
        assert_eq!(ink("x", Ink::Red, true), "\u{1b}[31mx\u{1b}[0m");
        assert_eq!(ink("", Ink::Red, true), "");
    }

    #[test]
    fn the_command_line_outweighs_the_environment_and_there_a_no_outweighs_a_yes() {
        let terminal = Surroundings { is_terminal: true, ..Surroundings::default() };
        let cases = [
            (terminal, true),
            (Surroundings::default(), false),
            (Surroundings { force: true, ..Surroundings::default() }, true),
            (Surroundings { no_color: true, ..terminal }, false),
            (Surroundings { is_dumb: true, ..terminal }, false),
            (Surroundings { no_color: true, force: true, ..terminal }, false),
        ];
        for (surroundings, suits) in cases {
            assert_eq!(surroundings.suit(Colour::Auto), suits, "{surroundings:?}");
            assert!(surroundings.suit(Colour::Always));
            assert!(!surroundings.suit(Colour::Never));
        }
    }
}
