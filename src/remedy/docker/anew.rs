//! A container made anew, with empty volumes in place of those that held the session.
//!
//! A volume can only be removed once no container refers to it, not even a stopped one. So the new container is first made beside
//! the old one, which is renamed meanwhile: what can fail fails there, and is undone. After that the volumes go, and from there on
//! it only goes forward; the inspection that was written down first is enough to make the container again at any point.

mod body;

use reqwest::Method;
use serde_json::{Value, json};

use super::container::Container;
use super::{End, Errand, done, failed, seen, unmet};
use crate::config::Anew;
use crate::docker::Trouble;
use crate::engine::attempt::StepOutcome;
use body::text;

/// What an attempt writes down under this name.
const RECORD: &str = "container";
/// And which volumes it has removed under this.
const EMPTIED: &str = "emptied";
/// Since when a container can be made with more than one network.
const NETWORKS_SINCE: (u16, u16) = (1, 44);

/// Everything that is needed to make the container again.
struct Record {
    /// Its inspection before anything was done.
    inspection: Value,
    /// The inspections of the volumes that go.
    volumes: Vec<Value>,
    /// How the image is named.
    image: String,
}

impl Errand<'_> {
    /// Which container it is: the one that was written down, by its id, as long as it is there; it has another name for a while.
    pub(super) async fn look_anew(&self) -> End {
        let Some(record) = self.recall().await? else { return self.look().await };
        match self.inspect(record.id()).await {
            Ok(container) => seen(&container.world()),
            // Our own doing: nobody else removes what has the name that we gave it.
            Err(trouble) if trouble.is_missing() => seen(&Container::of(&record.inspection).world()),
            Err(trouble) => Err(trouble),
        }
    }

    /// Writes down everything that the container is, and refuses what could not be made again.
    pub(super) async fn save(&self, anew: &Anew) -> End {
        let path = format!("/containers/{}/json", self.name());
        let inspection = self.daemon.read(&path, &[], self.until).await?;
        if let Some(why) = self.hindrance(&inspection, anew).await? {
            return unmet(why);
        }
        let mut volumes = Vec::new();
        for volume in &anew.volumes {
            volumes.push(self.daemon.read(&format!("/volumes/{volume}"), &[], self.until).await?);
        }
        let image = self.image(&inspection).await?;
        let record = json!({ "inspection": inspection, "volumes": volumes, "image": image });
        let order = self.brief.order();
        match self.desk.runs.remember(order.attempt, &order.target, RECORD, &record).await {
            Ok(()) => done(None),
            Err(why) => unmet(why),
        }
    }

    /// Says why the container cannot be made anew without harm.
    async fn hindrance(&self, inspection: &Value, anew: &Anew) -> Result<Option<String>, Trouble> {
        let id = text(inspection, "/Id");
        if inspection.pointer("/HostConfig/AutoRemove") == Some(&Value::Bool(true)) {
            return Ok(Some("it removes itself when it stops (--rm), so it cannot be made again safely".to_owned()));
        }
        let mounts = inspection.get("Mounts").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let has = |volume: &String| mounts.iter().any(|mount| text(mount, "/Name") == volume);
        if let Some(volume) = anew.volumes.iter().find(|volume| !has(volume)) {
            return Ok(Some(format!(
                "it has no volume {volume}: is it the right one? Its log and docker inspect tell"
            )));
        }
        let query = [("all", "1")];
        let all = self.daemon.read("/containers/json", &query, self.until).await?;
        for other in all.as_array().into_iter().flatten().filter(|other| text(other, "/Id") != id) {
            let name = text(other, "/Names/0").trim_start_matches('/');
            let mounts = other.get("Mounts").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let shares = |volume: &&String| mounts.iter().any(|mount| text(mount, "/Name") == volume.as_str());
            if let Some(volume) = anew.volumes.iter().find(shares) {
                return Ok(Some(format!("container {name} uses volume {volume} too, so it cannot be removed")));
            }
            if text(other, "/HostConfig/NetworkMode") == format!("container:{id}") {
                return Ok(Some(format!("container {name} shares its network, and would lose it")));
            }
        }
        Ok(None)
    }

    /// Names the image as it was named, where that still is the same one.
    async fn image(&self, inspection: &Value) -> Result<String, Trouble> {
        let (id, name) = (text(inspection, "/Image"), text(inspection, "/Config/Image"));
        match self.daemon.read(&format!("/images/{name}/json"), &[], self.until).await {
            Ok(image) if text(&image, "/Id") == id => Ok(name.to_owned()),
            Ok(_) | Err(Trouble::Missing(_) | Trouble::Denied(_)) => Ok(id.to_owned()),
            Err(trouble) => Err(trouble),
        }
    }

    /// Makes the new container beside the old one.
    pub(super) async fn rehearse(&self, _anew: &Anew) -> End {
        let Some(record) = self.recall().await? else { return unmet("nothing was written down of it") };
        if let Some(there) = self.find_by_name(self.name()).await? {
            if there.id == record.id() {
                self.rename(record.id(), &self.old_name()).await?;
            } else {
                self.remove(&there.id).await?;
            }
        }
        self.create(&record).await?;
        done(None)
    }

    /// Undoes that.
    pub(super) async fn call_off(&self) -> End {
        let Some(record) = self.recall().await? else { return done(None) };
        if self.find_by_name(record.id()).await?.is_none() {
            // It is gone, so there is nothing to go back to; the start makes it again.
            return failed("the old container is gone");
        }
        if let Some(there) = self.find_by_name(self.name()).await? {
            if there.id == record.id() {
                return done(None);
            }
            self.remove(&there.id).await?;
        }
        self.rename(record.id(), self.name()).await?;
        done(None)
    }

    /// Removes what there is, and makes volumes and container anew.
    pub(super) async fn recreate(&self, anew: &Anew) -> End {
        let Some(record) = self.recall().await? else { return unmet("nothing was written down of it") };
        if let Some(old) = self.find_by_name(record.id()).await? {
            if !old.is_stopped() {
                return failed("it runs again: somebody else started it, so it is left alone");
            }
            self.remove(&old.id).await?;
        }
        if let Some(there) = self.find_by_name(self.name()).await? {
            self.remove(&there.id).await?;
        }
        for volume in &record.volumes {
            self.empty(volume).await?;
        }
        self.create(&record).await?;
        done(format!("volumes made anew: {}", anew.volumes.join(", ")))
    }

    /// Tells whether container and volumes are new.
    pub(super) async fn is_recreated(&self, _anew: &Anew) -> End {
        let Some(record) = self.recall().await? else { return unmet("nothing was written down of it") };
        let there = self.find_by_name(self.name()).await?;
        if there.is_none_or(|there| there.id == record.id()) {
            return unmet("there is no new container");
        }
        let emptied = self.emptied().await?;
        for volume in &record.volumes {
            let name = text(volume, "/Name");
            if !emptied.iter().any(|other| other == name) || self.volume(name).await?.is_none() {
                return unmet(format!("volume {name} is still the old one"));
            }
        }
        done(None)
    }

    /// Starts the container; where it is missing it is brought back or made first.
    pub(super) async fn start_anew(&self) -> End {
        let record = self.recall().await?;
        if let Some(record) = &record {
            if self.find_by_name(record.id()).await?.is_some() {
                // The old one is there: it must be the only one.
                self.call_off().await?;
            } else if self.find_by_name(self.name()).await?.is_none() {
                for volume in &record.volumes {
                    self.make_volume(volume).await?;
                }
                self.create(record).await?;
            } else {
                self.connect(record).await?;
            }
        } else if self.find_by_name(self.name()).await?.is_none() {
            return failed("it is gone, and nothing was written down of it");
        }
        let end = self.start().await?;
        if end.outcome == StepOutcome::Done {
            // It holds the service's environment, secrets and all.
            let order = self.brief.order();
            self.desk.runs.forget(order.attempt, &order.target, RECORD).await.map_err(Trouble::Failed)?;
        }
        Ok(end)
    }

    async fn create(&self, record: &Record) -> Result<(), Trouble> {
        let (major, minor) = NETWORKS_SINCE;
        let takes_all = self.daemon.speaks(major, minor);
        let body = body::create(&record.inspection, &record.image, takes_all);
        let query = [("name", self.name())];
        self.daemon.change(Method::POST, "/containers/create", &query, Some(&body), self.until).await?;
        self.connect(record).await
    }

    /// Joins the container to the networks that an older daemon does not take all at once.
    async fn connect(&self, record: &Record) -> Result<(), Trouble> {
        let (major, minor) = NETWORKS_SINCE;
        if self.daemon.speaks(major, minor) {
            return Ok(());
        }
        let path = format!("/containers/{}/json", self.name());
        let now = self.daemon.read(&path, &[], self.until).await?;
        let there = now.pointer("/NetworkSettings/Networks").and_then(Value::as_object).cloned().unwrap_or_default();
        for (network, endpoint) in body::further_networks(&record.inspection) {
            if !there.contains_key(&network) {
                let body = json!({ "Container": self.name(), "EndpointConfig": endpoint });
                let path = format!("/networks/{network}/connect");
                self.daemon.change(Method::POST, &path, &[], Some(&body), self.until).await?;
            }
        }
        Ok(())
    }

    /// Returns the names of the volumes that this attempt has removed.
    async fn emptied(&self) -> Result<Vec<String>, Trouble> {
        let order = self.brief.order();
        let names = self.desk.runs.recall(order.attempt, &order.target, EMPTIED).await.map_err(Trouble::Failed)?;
        Ok(names.and_then(|names| serde_json::from_value(names).ok()).unwrap_or_default())
    }

    /// Removes a volume, once, and makes an empty one of the same name and labels.
    ///
    /// By its time nobody can tell a new one from the old one: it has whole seconds, and before Docker 23 it changes with every write.
    async fn empty(&self, volume: &Value) -> Result<(), Trouble> {
        let name = text(volume, "/Name");
        let mut emptied = self.emptied().await?;
        if !emptied.iter().any(|other| other == name) {
            match self.daemon.change(Method::DELETE, &format!("/volumes/{name}"), &[], None, self.until).await {
                Ok(_) | Err(Trouble::Missing(_)) => {}
                Err(trouble) => return Err(trouble),
            }
            emptied.push(name.to_owned());
            let order = self.brief.order();
            let written = self.desk.runs.remember(order.attempt, &order.target, EMPTIED, &json!(emptied)).await;
            written.map_err(Trouble::Failed)?;
        }
        self.make_volume(volume).await
    }

    /// Makes a volume; one that is there already stays as it is.
    async fn make_volume(&self, volume: &Value) -> Result<(), Trouble> {
        let part = |name: &str| volume.get(name).cloned().unwrap_or(Value::Null);
        // With the labels that Compose gave it, or it would call it a stranger's.
        let body = json!({
            "Name": part("Name"), "Driver": part("Driver"), "DriverOpts": part("Options"), "Labels": part("Labels"),
        });
        self.daemon.change(Method::POST, "/volumes/create", &[], Some(&body), self.until).await.map(drop)
    }

    async fn volume(&self, name: &str) -> Result<Option<Value>, Trouble> {
        match self.daemon.read(&format!("/volumes/{name}"), &[], self.until).await {
            Ok(volume) => Ok(Some(volume)),
            Err(Trouble::Missing(_)) => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    async fn find_by_name(&self, name: &str) -> Result<Option<Container>, Trouble> {
        match self.inspect(name).await {
            Ok(container) => Ok(Some(container)),
            Err(Trouble::Missing(_)) => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    async fn rename(&self, id: &str, name: &str) -> Result<(), Trouble> {
        let query = [("name", name)];
        self.daemon.change(Method::POST, &format!("/containers/{id}/rename"), &query, None, self.until).await.map(drop)
    }

    async fn remove(&self, id: &str) -> Result<(), Trouble> {
        match self.daemon.change(Method::DELETE, &format!("/containers/{id}"), &[], None, self.until).await {
            Ok(_) | Err(Trouble::Missing(_)) => Ok(()),
            Err(trouble) => Err(trouble),
        }
    }

    /// The name of the old container while a new one has its own.
    fn old_name(&self) -> String {
        format!("{}-wa-watchdog-{}", self.name(), self.run())
    }

    async fn recall(&self) -> Result<Option<Record>, Trouble> {
        let order = self.brief.order();
        let record = self.desk.runs.recall(order.attempt, &order.target, RECORD).await.map_err(Trouble::Failed)?;
        Ok(record.map(|record| Record {
            inspection: record.get("inspection").cloned().unwrap_or_default(),
            volumes: record.get("volumes").and_then(Value::as_array).cloned().unwrap_or_default(),
            image: text(&record, "/image").to_owned(),
        }))
    }
}

impl Record {
    fn id(&self) -> &str {
        text(&self.inspection, "/Id")
    }
}
