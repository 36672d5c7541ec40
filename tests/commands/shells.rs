//! The words of a line as a shell reads them, and what our program prints for shells.

use std::process::Command;

use clap_complete::Shell;

/// The binary.
const BINARY: &str = env!("CARGO_BIN_EXE_wa-watchdog");

/// Splits a line at spaces that are not quoted.
pub(crate) fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[test]
fn quoted_words_are_one() {
    assert_eq!(words("a -d '{\"b\": \"c d\"}'  \"e f\" \"\""), ["a", "-d", "{\"b\": \"c d\"}", "e f", ""]);
}

#[test]
fn each_shell_has_a_script_that_knows_the_commands() {
    for shell in [Shell::Bash, Shell::Elvish, Shell::Fish, Shell::PowerShell, Shell::Zsh] {
        let script = printed(&["completions", &shell.to_string()]);
        for word in ["explain", "reset-all-users", "completions", "token-file"] {
            assert!(script.contains(word), "{shell} knows nothing of {word}");
        }
    }
}

#[test]
fn bash_completes_commands_and_options() {
    let script = printed(&["completions", "bash"]);
    let complete = |typed: &str| {
        let words = typed.split(' ').map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
        let last = typed.split(' ').count() - 1;
        let ask = format!(
            "{script}\nCOMP_WORDS=({words})\nCOMP_CWORD={last}\n\
             _wa__watchdog wa-watchdog \"${{COMP_WORDS[{last}]}}\" \"${{COMP_WORDS[{last}-1]}}\"\necho \"${{COMPREPLY[@]}}\""
        );
        let done = Command::new("bash").args(["-c", &ask]).output().unwrap();
        assert!(done.stderr.is_empty(), "{done:?}");
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(complete("wa-watchdog exp"), "explain");
    assert_eq!(complete("wa-watchdog record exp"), "export");
    assert_eq!(complete("wa-watchdog run --wasender-u"), "--wasender-url");
}

#[test]
fn every_command_has_a_page_in_the_manual() {
    let folder = tempfile::tempdir().unwrap();
    let man = folder.path().join("man1");
    printed(&["man", "--output", man.to_str().unwrap()]);
    let mut pages: Vec<String> =
        std::fs::read_dir(&man).unwrap().map(|page| page.unwrap().file_name().into_string().unwrap()).collect();
    pages.sort();
    for page in ["wa-watchdog.1", "wa-watchdog-explain.1", "wa-watchdog-record-export.1", "wa-watchdog-man.1"] {
        assert!(pages.iter().any(|found| found == page), "{page} is not among {pages:?}");
    }
    let whole = printed(&["man"]);
    let explain = std::fs::read_to_string(man.join("wa-watchdog-explain.1")).unwrap();
    for (text, words) in [(&whole, "Exit codes: 0 well"), (&explain, "wa\\-watchdog explain shop")] {
        assert!(text.contains(".TH ") && text.contains(".SH ") && text.contains(words), "{words} is not in {text}");
    }
}

/// Returns the help of a command, which must exist.
pub(crate) fn help(path: &[&str]) -> String {
    printed(&[path, &["--help"]].concat())
}

fn printed(arguments: &[&str]) -> String {
    let done = Command::new(BINARY).args(arguments).output().unwrap();
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}
