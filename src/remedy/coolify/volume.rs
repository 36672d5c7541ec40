//! The volume of a session: its name is changed, and Docker makes a new one at the next start. The old one stays as it is.

use reqwest::Method;
use serde_json::{Value, json};

use super::{EXITED, Errand, refusal, text};
use crate::config::CoolifyResource;
use crate::engine::attempt::{AttemptId, StepOutcome};
use crate::engine::moment::Wall;
use crate::remedy::end::CallEnd;
use crate::remedy::rest::{Ask, Silence};

/// What is written down of it.
const RECORD: &str = "rotation";
/// Longest name of a volume, in bytes.
const NAME_BYTES_MAX: usize = 200;
/// Stands between the name that a person chose and the time of a rotation.
const MARK: &str = "-r";
/// How many digits that time has.
const STAMP_DIGITS: usize = 14;

/// A rotation, as it is written down before anything is changed.
#[derive(Debug, PartialEq, Eq)]
struct Rotation {
    /// The storage.
    uuid: String,
    /// Its name before.
    old: String,
    /// Its name after.
    new: String,
}

impl Rotation {
    fn to_json(&self) -> Value {
        json!({ "uuid": self.uuid, "old": self.old, "new": self.new })
    }

    fn of_json(value: &Value) -> Option<Self> {
        let part = |key| Some(text(value, key)).filter(|text| !text.is_empty()).map(str::to_owned);
        Some(Self { uuid: part("uuid")?, old: part("old")?, new: part("new")? })
    }
}

impl Errand<'_> {
    /// Finds the volume, and writes down its name and the next one.
    pub(super) async fn find(&self, mount_path: &str) -> Result<CallEnd, CallEnd> {
        let resource = self.ask_for(&self.resource()).await?;
        if self.at.resource == CoolifyResource::Service || text(&resource.body, "build_pack") == "dockercompose" {
            let note = "its volumes stand in a compose file: change the name there, or use another hook";
            return Err(self.nothing_done(note.to_owned()));
        }
        let storages = self.storages().await?;
        let is_there = |storage: &&Value| text(storage, "mount_path").trim_end_matches('/') == mount_path;
        let found: Vec<&Value> = storages.iter().filter(is_there).collect();
        let [storage] = found.as_slice() else {
            let paths: Vec<&str> = storages.iter().map(|storage| text(storage, "mount_path")).collect();
            let note = format!("{} volumes are mounted at {mount_path}; there are: {}", found.len(), paths.join(", "));
            return Err(self.nothing_done(note));
        };
        if !text(storage, "host_path").is_empty() {
            let note = format!("{mount_path} is a folder of the host: a new name would not make it empty");
            return Err(self.nothing_done(note));
        }
        let (uuid, old) = (text(storage, "uuid").to_owned(), text(storage, "name").to_owned());
        if uuid.is_empty() || old.is_empty() {
            return Err(self.nothing_done("Coolify does not say the volume's name".to_owned()));
        }
        // What was planned before a crash stays planned: a second name would leave a volume that nobody knows.
        let planned = self.planned(self.brief.order().attempt).await?;
        let planned = planned.filter(|plan| plan.uuid == uuid && [&plan.old, &plan.new].contains(&&old));
        if planned.is_none() {
            let new = next_name(&old, (self.desk.clock)());
            self.write_down(&Rotation { uuid, old, new }).await?;
        }
        Ok(CallEnd::new(StepOutcome::Done, None))
    }

    /// Gives it the new name.
    pub(super) async fn rotate(&self) -> Result<CallEnd, CallEnd> {
        let Some(plan) = self.planned(self.brief.order().attempt).await? else {
            return Err(self.nothing_done("nothing is written down about its volume".to_owned()));
        };
        let name = self.name_of(&plan.uuid).await?;
        if name == plan.new {
            return Ok(renamed(&plan));
        }
        if name != plan.old {
            let note = format!("its volume is now called {name}: somebody else is at work");
            return Err(self.nothing_done(note));
        }
        self.rename(&plan).await
    }

    /// Tells whether it has the new name.
    pub(super) async fn is_rotated(&self) -> Result<CallEnd, CallEnd> {
        let Some(plan) = self.planned(self.brief.order().attempt).await? else {
            // Nothing is renamed before it is written down.
            return Ok(CallEnd::new(StepOutcome::Unmet, Some("nothing is written down about its volume".to_owned())));
        };
        self.is_called(&plan.uuid, &plan.new).await
    }

    /// Gives it the name that it had before an earlier attempt, and writes down the present one.
    pub(super) async fn rotate_back(&self) -> Result<CallEnd, CallEnd> {
        let before = self.earlier(self.restored()?).await?;
        let name = self.name_of(&before.uuid).await?;
        let back = Rotation { uuid: before.uuid, new: before.old, old: name.clone() };
        if name == back.new {
            return Ok(renamed(&back));
        }
        self.write_down(&back).await?;
        self.rename(&back).await
    }

    /// Tells whether it has the name that it had before an earlier attempt.
    pub(super) async fn is_back(&self) -> Result<CallEnd, CallEnd> {
        let before = self.earlier(self.restored()?).await?;
        self.is_called(&before.uuid, &before.old).await
    }

    /// The attempt whose session is wanted back.
    fn restored(&self) -> Result<AttemptId, CallEnd> {
        let restores = self.brief.order().cause.restores;
        restores.ok_or_else(|| self.nothing_done("no attempt is named whose session is wanted back".to_owned()))
    }

    async fn rename(&self, plan: &Rotation) -> Result<CallEnd, CallEnd> {
        // Under a running container nothing would change before the next start, whenever that is.
        let status = self.status().await?;
        if status != EXITED {
            return Err(self.nothing_done(format!("it is {status}, not stopped: somebody else is at work")));
        }
        let url = format!("{}/storages", self.resource());
        let body = json!({ "type": "persistent", "uuid": plan.uuid, "name": plan.new });
        let body = Some(("application/json", body));
        let ask = Ask { method: Method::PATCH, url: &url, body, is_repeatable: true };
        let why = match self.rest.ask(&ask).await {
            Ok(said) if said.is_good() => return Ok(renamed(plan)),
            Ok(said) if said.status < 500 => return Err(self.refused(&said, "write")),
            Ok(said) => refusal::note(&said, "write"),
            Err(Silence::Unsent(why)) => {
                return Err(self.nothing_done(format!("the volume was not renamed: {why}")));
            }
            Err(Silence::Lost(why)) => why,
        };
        // It may be done: its name says.
        match self.name_of(&plan.uuid).await {
            Ok(name) if name == plan.new => Ok(renamed(plan)),
            Ok(_) => Err(self.nothing_done(format!("the volume was not renamed: {why}"))),
            Err(_) => {
                Err(CallEnd::new(StepOutcome::Unknown, Some(format!("nobody can tell its volume's name: {why}"))))
            }
        }
    }

    async fn is_called(&self, uuid: &str, wanted: &str) -> Result<CallEnd, CallEnd> {
        let name = self.name_of(uuid).await?;
        if name == wanted {
            return Ok(CallEnd::new(StepOutcome::Done, None));
        }
        Ok(CallEnd::new(StepOutcome::Unmet, Some(format!("its volume is called {name}, not {wanted}"))))
    }

    async fn name_of(&self, uuid: &str) -> Result<String, CallEnd> {
        let storages = self.storages().await?;
        let storage = storages.iter().find(|storage| text(storage, "uuid") == uuid);
        let name = storage.map(|storage| text(storage, "name")).filter(|name| !name.is_empty());
        name.map(str::to_owned).ok_or_else(|| self.nothing_done("its volume is no longer there".to_owned()))
    }

    async fn storages(&self) -> Result<Vec<Value>, CallEnd> {
        let said = self.ask_for(&format!("{}/storages", self.resource())).await?;
        let storages = said.body.get("persistent_storages").and_then(Value::as_array);
        storages.cloned().ok_or_else(|| self.nothing_done("Coolify does not say which volumes there are".to_owned()))
    }

    async fn planned(&self, attempt: AttemptId) -> Result<Option<Rotation>, CallEnd> {
        let recalled = self.desk.runs.recall(attempt, &self.brief.order().target, RECORD).await;
        let record = recalled.map_err(|why| self.nothing_done(why))?;
        Ok(record.as_ref().and_then(Rotation::of_json))
    }

    async fn earlier(&self, of: AttemptId) -> Result<Rotation, CallEnd> {
        let note = || format!("nothing is written down about the volume of attempt {of}");
        self.planned(of).await?.ok_or_else(|| self.nothing_done(note()))
    }

    async fn write_down(&self, plan: &Rotation) -> Result<(), CallEnd> {
        let order = self.brief.order();
        let written = self.desk.runs.remember(order.attempt, &order.target, RECORD, &plan.to_json()).await;
        written.map_err(|why| self.nothing_done(why))
    }
}

fn renamed(plan: &Rotation) -> CallEnd {
    let note = format!("its volume is now {}; {} stays as the backup", plan.new, plan.old);
    CallEnd::new(StepOutcome::Done, Some(note))
}

/// Makes the next name of a volume: the one that a person chose, and the time.
fn next_name(name: &str, now: Wall) -> String {
    let base: String = base(name).chars().take(NAME_BYTES_MAX).collect();
    let digits: String = now.to_string().chars().filter(char::is_ascii_digit).take(STAMP_DIGITS).collect();
    [base.as_str(), MARK, &digits].concat()
}

/// Takes the time of an earlier rotation off a name.
fn base(name: &str) -> &str {
    let is_stamp = |text: &str| text.len() == STAMP_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
    name.rsplit_once(MARK).filter(|(base, stamp)| !base.is_empty() && is_stamp(stamp)).map_or(name, |(base, _)| base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_the_last_rotation_makes_room_for_the_next() {
        let now: Wall = "2026-02-04T09:05:07.123Z".parse().unwrap();
        for (name, next) in [
            ("abc-session", "abc-session-r20260204090507"),
            ("abc-session-r20250101000000", "abc-session-r20260204090507"),
            ("abc-r2025", "abc-r2025-r20260204090507"),
            ("-r20250101000000", "-r20250101000000-r20260204090507"),
        ] {
            assert_eq!(next_name(name, now), next);
        }
        assert_eq!(next_name(&"x".repeat(300), now).len(), NAME_BYTES_MAX + 16);
    }
}
