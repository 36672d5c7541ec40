//! Who plays what: every role of the demo with its script, as data.

use std::net::SocketAddr;

use secrecy::SecretString;

use super::memory::Memory;
use super::script::{Script, from};
use super::service::Session;
use super::{Target, account, backend, service};
use crate::engine::Wall;
use crate::engine::ladder::Remedy;
use crate::engine::pattern::Pattern;

/// One role.
#[derive(Debug)]
pub(super) struct Role {
    /// The target's name.
    pub(super) name: &'static str,
    /// What it plays, in plain words.
    pub(super) plays: &'static str,
    /// What the watchdog should say of it.
    pub(super) expects: Option<Pattern>,
    /// Its script, in its gateway's form.
    pub(super) part: Part,
    /// What memory it uses, where it tells.
    pub(super) memory: Option<Memory>,
    /// What its hooks do: from their call on it plays another script.
    pub(super) mends: &'static [Mend],
}

/// A hook and what it leads to.
#[derive(Debug)]
pub(super) struct Mend {
    /// The remedy that its hook carries out.
    pub(super) remedy: Remedy,
    /// What is played from its call on.
    pub(super) script: Script<service::Act>,
}

/// A script and the gateway that plays it.
#[derive(Debug)]
pub(super) enum Part {
    /// A small session service around whatsapp-web.js or Baileys.
    Service(Script<service::Act>),
    /// A Wasender account.
    Account(Script<account::Act>),
    /// A bot backend before Wasender, whose session is well.
    Backend,
}

/// Every role. The seconds are chosen so that each failure is named well within [`super::NAMED_WITHIN`].
pub(super) static CAST: &[Role] = &[
    Role {
        name: "healthy",
        plays: "is well: stays connected, and messages pass",
        expects: None,
        part: Part::Service(Script::always(shows(BUSY))),
        memory: Some(Memory { limit: 768, first: 340, each_sec: 1, most: 380 }),
        mends: &[],
    },
    Role {
        name: "restarting",
        plays: "restarts once and comes back by itself: no reason to act",
        expects: None,
        part: Part::Service(Script::once(
            shows(OPEN),
            &[from(10, service::Act::DownBehindProxy), from(13, shows(STARTING)), from(16, shows(OPEN))],
        )),
        memory: None,
        mends: &[],
    },
    Role {
        name: "loop",
        plays: "loops: connects, and falls again after a few seconds",
        expects: Some(Pattern::StateLoop),
        part: Part::Service(Script::again(shows(LINKED), &[from(3, shows(OPENING)), from(5, shows(PAIRING))], 7)),
        memory: None,
        mends: &[],
    },
    Role {
        name: "conflict",
        plays: "is connected, then another client takes its session",
        expects: Some(Pattern::Conflict),
        part: Part::Service(Script::once(shows(LINKED), &[from(8, shows(TAKEN))])),
        memory: None,
        mends: &[],
    },
    Role {
        name: "stuck-qr",
        plays: "shows one QR code after the other, and nobody scans",
        expects: Some(Pattern::StuckQr),
        part: Part::Service(Script::always(shows(WAITING))),
        memory: None,
        mends: &[],
    },
    Role {
        name: "down",
        plays: "takes every question and never answers",
        expects: Some(Pattern::Unreachable),
        part: Part::Service(Script::always(service::Act::Hangs)),
        memory: None,
        mends: &[],
    },
    Role {
        name: "wasender",
        plays: "is a Wasender account: connected, then somebody deletes the session",
        expects: Some(Pattern::Repeated404),
        part: Part::Account(Script::once(account::Act::Holds("connected"), &[from(12, account::Act::Deleted)])),
        memory: None,
        mends: &[],
    },
    Role {
        name: "leak",
        plays: "stays connected while its memory fills up to the limit",
        expects: Some(Pattern::MemoryPressure),
        part: Part::Service(Script::always(shows(OPEN))),
        memory: Some(Memory { limit: 512, first: 300, each_sec: 20, most: 500 }),
        mends: &[],
    },
    Role {
        name: "bot",
        plays: "is a bot backend that a discovery finds: is well, its token ends in a month",
        expects: None,
        part: Part::Backend,
        memory: None,
        mends: &[],
    },
    Role {
        name: "hung",
        plays: "hangs while it starts, and a restart mends it",
        expects: Some(Pattern::NeverReady),
        part: Part::Service(Script::once(shows(OPEN), &[from(5, shows(STARTING))])),
        memory: None,
        mends: &[Mend {
            remedy: Remedy::Restart,
            script: Script::once(service::Act::DownBehindProxy, &[from(2, shows(STARTING)), from(4, shows(OPEN))]),
        }],
    },
    Role {
        name: "expired",
        plays: "is unlinked from the phone; a reset and a scan mend it (the script scans)",
        expects: Some(Pattern::SessionExpired),
        part: Part::Service(Script::once(shows(OPEN), &[from(6, shows(UNLINKED))])),
        memory: None,
        mends: &[Mend {
            remedy: Remedy::Reset,
            script: Script::once(shows(STARTING), &[from(2, shows(WAITING)), from(14, shows(OPEN))]),
        }],
    },
];

const BUSY: Session = Session { message_every_secs: Some(3), ..OPEN };
const OPEN: Session =
    Session { connected: true, has_qr: false, state: "connected", last_disconnect: None, message_every_secs: None };
const STARTING: Session = Session { connected: false, state: "connecting", ..OPEN };
const WAITING: Session = Session { connected: false, has_qr: true, state: "connecting", ..OPEN };
const LINKED: Session = Session { state: "CONNECTED", ..OPEN };
const OPENING: Session = Session { connected: false, state: "OPENING", ..OPEN };
const PAIRING: Session = Session { connected: false, state: "PAIRING", ..OPEN };
const UNLINKED: Session = Session { connected: false, state: "LOGOUT", ..OPEN };
const TAKEN: Session = Session { connected: false, state: "CONFLICT", last_disconnect: Some("CONFLICT"), ..OPEN };

const fn shows(session: Session) -> service::Act {
    service::Act::Shows(session)
}

impl Role {
    /// Describes the role once it has an address.
    pub(super) fn target(&self, address: SocketAddr, now: Wall) -> Target {
        let base = Target {
            name: self.name,
            dialect: "whatsapp-service",
            url: format!("http://{address}"),
            session: None,
            token: None,
            qr_page: None,
            plays: self.plays,
            expects: self.expects,
            tells_memory: self.memory.is_some(),
            is_found: false,
            hooks: self.mends.iter().map(|mend| mend.remedy).collect(),
        };
        match self.part {
            Part::Service(_) => Target { qr_page: Some(format!("http://{address}/qr-display")), ..base },
            Part::Account(_) => Target {
                dialect: "wasender",
                url: format!("http://{address}/api"),
                session: Some(account::SESSION),
                token: Some(SecretString::from(account::ACCOUNT_TOKEN)),
                ..base
            },
            Part::Backend => {
                Target { dialect: "wasender-backend", token: Some(backend::token(now)), is_found: true, ..base }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::TargetId;

    #[test]
    fn every_script_is_in_order() {
        for role in CAST {
            let in_order = match &role.part {
                Part::Service(script) => script.is_in_order(),
                Part::Account(script) => script.is_in_order(),
                Part::Backend => true,
            };
            assert!(in_order, "{}", role.name);
            assert!(role.mends.iter().all(|mend| mend.script.is_in_order()), "{}", role.name);
        }
    }

    #[test]
    fn every_role_can_be_a_target_and_no_two_are_the_same() {
        let mut names: Vec<&str> = CAST.iter().map(|role| role.name).collect();
        assert!(names.iter().all(|name| TargetId::new(name).is_ok()));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CAST.len());
    }

    #[test]
    fn every_failure_begins_early_enough_to_be_named_in_time() {
        let begins = |role: &Role| match &role.part {
            Part::Service(script) => script.then.first().map_or(0, |scene| scene.from_secs),
            Part::Account(script) => script.then.first().map_or(0, |scene| scene.from_secs),
            Part::Backend => 0,
        };
        let late = CAST.iter().filter(|role| role.expects.is_some() && 12 < begins(role));
        assert_eq!(late.map(|role| role.name).collect::<Vec<_>>(), Vec::<&str>::new());
    }
}
