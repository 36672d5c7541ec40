//! `status --watch`: the same again and again, until somebody has seen enough.

use std::io;
use std::time::Duration;

use super::changes::Told;
use super::layout::{Page, Paper, lay_out};
use super::listing::{self, Listing};
use crate::cli::api::Api;
use crate::cli::print::{self, Ink, Screen, Window};
use crate::cli::pulse::{Beat, Pulse};
use crate::cli::site::Misuse;
use crate::cli::{Outcome, print::colours};
use crate::driver::clock::{self, Clock};
use crate::engine::Moment;
use crate::engine::moment::words;

/// Shows it until Ctrl-C; a watchdog that goes away is waited for.
pub(super) async fn watch(api: &Api, every: Duration) -> anyhow::Result<Outcome> {
    let mut pulse = Pulse::new(every)?;
    if Screen::suits() { draw(api, every, &mut pulse).await } else { tell(api, &mut pulse).await }
}

/// Prints a line for each change.
async fn tell(api: &Api, pulse: &mut Pulse) -> anyhow::Result<Outcome> {
    let clock = clock::machine();
    let mut told = Told::default();
    loop {
        let Some(asked) = pulse.unless_stopped(ask(api)).await else { return Ok(Outcome::Well) };
        let lines = match asked? {
            Ok(listing) => told.hear(&listing),
            Err(why) => told.miss(clock().wall, &why).into_iter().collect(),
        };
        lines.iter().try_for_each(|line| print::line(line))?;
        loop {
            match pulse.next().await {
                Beat::Due => break,
                Beat::Resized => {}
                Beat::Suspend => Pulse::suspend(),
                Beat::Stop => return Ok(Outcome::Well),
            }
        }
    }
}

/// Draws the table over itself.
async fn draw(api: &Api, every: Duration, pulse: &mut Pulse) -> anyhow::Result<Outcome> {
    let mut view = View { clock: clock::machine(), every, heard: None, missing: None };
    let mut screen = Screen::open()?;
    loop {
        let Some(asked) = pulse.unless_stopped(ask(api)).await else { break };
        view.hear(asked?);
        view.draw(&screen)?;
        let beat = loop {
            match pulse.next().await {
                Beat::Resized => view.draw(&screen)?,
                Beat::Suspend => {
                    screen.close()?;
                    Pulse::suspend();
                    screen.reopen()?;
                    view.draw(&screen)?;
                }
                beat @ (Beat::Due | Beat::Stop) => break beat,
            }
        };
        if beat == Beat::Stop {
            break;
        }
    }
    // What was seen last stays on the person's own page.
    screen.close()?;
    view.last().iter().try_for_each(|line| print::line(line))?;
    Ok(Outcome::Well)
}

/// Asks once. A watchdog that does not answer is no error here, a URL that is none is.
async fn ask(api: &Api) -> anyhow::Result<Result<Listing, String>> {
    match api.text(listing::PATH).await.and_then(|text| Listing::parse(&text)) {
        Ok(listing) => Ok(Ok(listing)),
        Err(error) if error.is::<Misuse>() => Err(error),
        Err(error) => Ok(Err(format!("{error:#}").replace('\n', "; "))),
    }
}

/// What is on the screen.
struct View {
    clock: Clock,
    every: Duration,
    heard: Option<Listing>,
    /// Since when nobody answers, and why.
    missing: Option<(Moment, String)>,
}

impl View {
    fn hear(&mut self, asked: Result<Listing, String>) {
        match asked {
            Ok(listing) => (self.heard, self.missing) = (Some(listing), None),
            Err(why) => {
                let since = self.missing.as_ref().map_or_else(|| (self.clock)(), |(since, _)| *since);
                self.missing = Some((since, why));
            }
        }
    }

    fn draw(&self, screen: &Screen) -> io::Result<()> {
        let Some(window) = Window::of_stdout() else { return Ok(()) };
        let paper = Paper { width: Some(window.columns), colours: colours(&io::stdout()) };
        let mut top = self.trouble(paper);
        let every = format!("at {}, every {}; Ctrl-C ends it", (self.clock)().wall.clock() + " UTC", words(self.every));
        let room = window.rows.saturating_sub(top.len()).saturating_sub(1);
        top.extend(self.page(paper).lines_within(room));
        let every = print::hang(&every, 0, paper.width);
        top.extend(every.iter().take(1).map(|line| print::ink(line, Ink::Dim, paper.colours)));
        screen.draw(&top, window.rows)
    }

    /// What was seen last, in full.
    fn last(&self) -> Vec<String> {
        let paper = Paper { width: Window::width(), colours: colours(&io::stdout()) };
        self.trouble(paper).into_iter().chain(self.page(paper).lines()).collect()
    }

    fn page(&self, paper: Paper) -> Page {
        self.heard.as_ref().map_or_else(Page::default, |listing| lay_out(listing, paper))
    }

    /// Says that nobody answers, and of when what follows is.
    fn trouble(&self, paper: Paper) -> Vec<String> {
        let Some((since, why)) = &self.missing else { return Vec::new() };
        let lasts = words((self.clock)().since(*since));
        let old = self
            .heard
            .as_ref()
            .map_or_else(String::new, |listing| format!("; what follows is of {} UTC", listing.at.clock()));
        let lines = print::hang(&format!("NO ANSWER for {lasts}, asking on: {why}{old}"), 2, paper.width);
        lines.iter().map(|line| print::ink(line, Ink::Red, paper.colours)).collect()
    }
}
