//! The help of every command teaches, and what it shows can be typed.

use clap::{Command, CommandFactory as _, Parser as _};

use super::{Cli, PROGRAM};

/// Clap's own, which needs no example.
const BUILT_IN: [&str; 1] = ["help"];

#[test]
fn every_command_has_an_example_and_its_first_sentence() {
    for command in commands() {
        let name = command.get_name();
        assert!(command.get_about().is_some_and(|about| 10 < about.to_string().len()), "{name} says nothing of itself");
        let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(examples.starts_with("Example"), "{name} has no example");
    }
}

#[test]
fn every_example_can_be_typed() {
    let mut typed = 0;
    for command in commands() {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        for example in help.lines().filter_map(|line| line.strip_prefix("  ")).flat_map(calls) {
            let parsed = Cli::try_parse_from(&example);
            assert!(parsed.is_ok(), "{}: {example:?}: {}", command.get_name(), parsed.unwrap_err());
            typed += 1;
        }
    }
    assert!(50 < typed, "{typed} examples");
}

#[test]
fn every_option_says_what_it_is_for() {
    for command in commands() {
        for argument in command.get_arguments() {
            let id = argument.get_id().as_str();
            let is_said = argument.get_help().is_some_and(|help| 3 < help.to_string().len());
            assert!(is_said || ["help", "version"].contains(&id), "{} {id}", command.get_name());
        }
    }
}

#[test]
fn the_command_line_holds_together() {
    Cli::command().debug_assert();
}

/// Every command and every one below it.
fn commands() -> Vec<Command> {
    let mut root = Cli::command();
    root.build();
    let (mut found, mut open) = (Vec::new(), vec![root]);
    while let Some(command) = open.pop() {
        open.extend(command.get_subcommands().filter(|sub| !BUILT_IN.contains(&sub.get_name())).cloned());
        found.push(command);
    }
    // One that only holds a list of others is told by them.
    found.retain(|command| command.get_name() != "show");
    found
}

/// Returns the calls of this program in a line as a shell reads it: what follows two spaces is an explanation.
fn calls(line: &str) -> Vec<Vec<String>> {
    let mut calls = vec![Vec::new()];
    let (mut word, mut quoted, mut before) = (None::<String>, false, None);
    for c in line.chars() {
        let ends = !quoted && c == ' ' && before == Some(' ');
        before = Some(c);
        match c {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => calls.last_mut().unwrap().extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
        if ends {
            break;
        }
        if word.is_none() && calls.last().unwrap().last().is_some_and(|last| ["|", "&&", ">"].contains(&last.as_str()))
        {
            calls.last_mut().unwrap().pop();
            calls.push(Vec::new());
        }
    }
    calls.last_mut().unwrap().extend(word);
    calls.retain(|call| call.first().is_some_and(|first| first == PROGRAM));
    calls
}
