//! What was seen, as a recording that `wa-watchdog replay` opens.

use std::fmt::Write as _;

use wa_watchdog::engine::sample::{Failure, Reply, Sample, SessionState};
use wa_watchdog::engine::{TargetId, Wall};

/// Longest tape that is kept; its end is what matters, so a longer one is begun anew behind its header.
const TAPE_BYTES_MAX: usize = 8 << 20;

pub(crate) struct Tape {
    header: String,
    lines: String,
}

impl Tape {
    pub(crate) fn new<'a>(targets: impl Iterator<Item = &'a TargetId>) -> Self {
        let target = |id: &TargetId| format!("\"{id}\":{{\"dialect\":\"whatsapp-service\"}}");
        let targets: Vec<String> = targets.map(target).collect();
        Self { header: format!("{{\"recording\":1,\"targets\":{{{}}}}}\n", targets.join(",")), lines: String::new() }
    }

    pub(crate) fn write(&mut self, target: &TargetId, at: Wall, sample: &Sample) {
        if !self.header.contains(&format!("\"{target}\":")) {
            return;
        }
        let seen = match sample {
            Sample::Poll { reply: Reply::NoAnswer(Failure::Timeout), .. } => {
                String::from("\"poll\":{\"error\":\"timeout\"}")
            }
            Sample::Poll { reply: Reply::NoAnswer(_), .. } => {
                String::from("\"poll\":{\"error\":\"connection_refused\"}")
            }
            Sample::Poll { reply: Reply::Answer(answer), .. } => {
                let (connected, scan) =
                    (answer.state == SessionState::Connected, answer.state == SessionState::NeedsScan);
                let word = match answer.state {
                    SessionState::Conflict => "CONFLICT",
                    SessionState::LoggedOut => "LOGOUT",
                    SessionState::Connecting => "OPENING",
                    _ if connected => "CONNECTED",
                    _ => "connecting",
                };
                format!(
                    "\"poll\":{{\"status\":200,\"body\":{{\"connected\":{connected},\"hasQR\":{scan},\"state\":\"{word}\"}}}}"
                )
            }
            Sample::Memory(memory) => {
                let limit = memory.limit_bytes.unwrap_or(0);
                format!("\"memory\":{{\"used_bytes\":{},\"limit_bytes\":{limit}}}", memory.used_bytes)
            }
            _ => return,
        };
        if TAPE_BYTES_MAX < self.lines.len() {
            self.lines.clear();
        }
        writeln!(self.lines, "{{\"at\":\"{at}\",\"target\":\"{target}\",{seen}}}").unwrap();
    }

    pub(crate) fn text(&self) -> String {
        format!("{}{}", self.header, self.lines)
    }
}
