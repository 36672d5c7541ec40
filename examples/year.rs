//! Writes the recording of one session's year with a fault each month: `cargo run --release --example year > year.jsonl`.
//!
//! 2.1 million polls, 15 s apart, about 320 MB. It shows what a replay costs in time and memory; whether one is right shows in
//! `tests/corpus/`.

use std::io::{self, BufWriter, Write};
use std::time::Duration;

use wa_watchdog::engine::Wall;

/// Seconds from 1970 to 2026.
const START_SECS: i64 = 1_767_225_600;
const POLL_EVERY: Duration = Duration::from_secs(15);
const POLLS_A_DAY: u64 = 24 * 60 * 4;
const DAYS: u64 = 365;
/// A fault comes on this day of each 30, …
const FAULT_DAY: u64 = 15;
/// … at noon, …
const FAULT_FROM: u64 = POLLS_A_DAY / 2;
/// … and lasts a quarter of an hour.
const FAULT_POLLS: u64 = 60;

/// What a poll met.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Met {
    Good,
    Lost,
    Refused,
    WantsScan,
}

fn main() -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    writeln!(out, r#"{{"recording":1,"targets":{{"shop":{{"dialect":"whatsapp-service","poll_every":"15s"}}}}}}"#)?;
    let mut at = Wall::from_secs(START_SECS);
    for day in 0..DAYS {
        for poll in 0..POLLS_A_DAY {
            write!(out, r#"{{"at":"{at}","target":"shop","poll":{{"#)?;
            match met(day, poll) {
                Met::Refused => out.write_all(br#""error":"connection_refused""#)?,
                met @ (Met::Good | Met::Lost | Met::WantsScan) => {
                    let (connected, has_qr) = (met == Met::Good, met == Met::WantsScan);
                    write!(
                        out,
                        r#""status":200,"body":{{"connected":{connected},"hasQR":{has_qr},"timestamp":"{at}"}}"#
                    )?;
                }
            }
            writeln!(out, "}}}}")?;
            at = at.after(POLL_EVERY);
        }
    }
    out.flush()
}

/// Returns what a poll meets: all is well but for one fault a month, each time of another kind.
fn met(day: u64, poll: u64) -> Met {
    let is_fault = day % 30 == FAULT_DAY && (FAULT_FROM..FAULT_FROM.saturating_add(FAULT_POLLS)).contains(&poll);
    match (is_fault, (day / 30) % 3, (poll / 4) % 2) {
        (false, _, _) => Met::Good,
        (true, 0, 0) => Met::Lost,
        (true, 0, _) => Met::Good,
        (true, 1, _) => Met::Refused,
        (true, _, _) => Met::WantsScan,
    }
}
