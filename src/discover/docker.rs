//! The containers of a Docker daemon that ask by a label to be watched: `GET /containers/json`.
//!
//! Those that do not run are listed too: a container that is down is just what a watchdog is for. It is gone when it is removed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::{Failed, Heard};
use crate::config::{DockerAddress, DockerEndpoint, Found};
use crate::docker::{Daemon, Trouble};
use crate::http::Http;
use crate::http::message::until;

/// How long the daemon may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// Says that a container is watched.
const ENABLE: &str = "wa-watchdog.enable=true";
/// What stands in the name of a container that a remedy has put aside while it makes a new one.
const ASIDE: &str = "-wa-watchdog-";
/// Where a container is that has the network of its host.
const OF_HOST: &str = "127.0.0.1";

/// A container. What a daemon leaves out is as if it were empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Listed {
    names: Vec<String>,
    state: String,
    labels: Option<BTreeMap<String, String>>,
    ports: Option<Vec<Port>>,
    host_config: HostConfig,
    network_settings: Option<NetworkSettings>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Port {
    private_port: u16,
    #[serde(rename = "Type")]
    kind: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct HostConfig {
    network_mode: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct NetworkSettings {
    networks: Option<BTreeMap<String, Option<Network>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Network {
    #[serde(rename = "IPAddress")]
    ip_address: String,
}

pub(super) async fn ask(
    endpoint: &DockerEndpoint,
    address: DockerAddress,
    http: &Http,
    known: &BTreeMap<String, Found>,
) -> Result<Heard, Failed> {
    let until = until(ANSWER_WITHIN);
    let filters = json!({ "label": [ENABLE] }).to_string();
    let daemon = Daemon::at(endpoint, http, until).await.map_err(|trouble| failed(&trouble))?;
    let list = daemon
        .read("/containers/json", &[("all", "1"), ("filters", &filters)], until)
        .await
        .map_err(|trouble| failed(&trouble))?;
    let not_understood = |_| Failed::NotUnderstood("it is not a list of containers".to_owned());
    let containers: Vec<Listed> = serde_json::from_value(list).map_err(not_understood)?;
    Ok(read(&containers, address, known))
}

fn read(containers: &[Listed], address: DockerAddress, known: &BTreeMap<String, Found>) -> Heard {
    let mut heard = Heard::default();
    for container in containers {
        let name = container.name();
        if name.is_empty() || name.contains(ASIDE) {
            continue;
        }
        match container.found(name, address) {
            Ok(found) => heard.found.push(found),
            // It is the same one as before, and has no address for as long as it is down.
            Err(_) if container.state != "running" && known.contains_key(name) => {
                heard.found.extend(known.get(name).cloned());
            }
            Err(why) => heard.odd.push((name.to_owned(), why)),
        }
    }
    heard.found.sort_by(|one, other| one.key.cmp(&other.key));
    heard
}

impl Listed {
    /// Its own name; one with a second slash is what a linked container calls it.
    fn name(&self) -> &str {
        let names = self.names.iter().map(|name| name.trim_start_matches('/'));
        names.into_iter().find(|name| !name.contains('/')).unwrap_or_default()
    }

    fn found(&self, name: &str, address: DockerAddress) -> Result<Found, String> {
        let label = |key: &str| {
            let label = self.labels.as_ref()?.get(&format!("wa-watchdog.{key}"))?.trim();
            (!label.is_empty()).then(|| label.to_owned())
        };
        let port = match label("port") {
            Some(text) => {
                text.parse::<u16>().ok().filter(|port| *port != 0).ok_or("the label wa-watchdog.port is no port")?
            }
            None => self.port()?,
        };
        let scheme = label("scheme").unwrap_or_else(|| "http".to_owned());
        if !matches!(scheme.as_str(), "http" | "https") {
            return Err("the label wa-watchdog.scheme is neither http nor https".to_owned());
        }
        let path = label("path").unwrap_or_default();
        if !path.is_empty() && !path.starts_with('/') {
            return Err("the label wa-watchdog.path does not begin with a slash".to_owned());
        }
        let host = self.host(name, address)?;
        let session = label("session");
        Ok(Found {
            key: name.to_owned(),
            name: label("name").unwrap_or_else(|| name.to_owned()),
            url: format!("{scheme}://{host}:{port}{path}"),
            dialect: label("dialect"),
            session,
            status_path: None,
            container: Some(name.to_owned()),
        })
    }

    fn port(&self) -> Result<u16, String> {
        let ports = self.ports.iter().flatten().filter(|port| port.kind == "tcp");
        let ports: BTreeSet<u16> = ports.map(|port| port.private_port).collect();
        match (ports.first(), ports.len()) {
            (Some(port), 1) => Ok(*port),
            (None, _) => Err("it has no label wa-watchdog.port, and exposes no port".to_owned()),
            (Some(_), _) => Err("it has no label wa-watchdog.port, and exposes several ports".to_owned()),
        }
    }

    fn host(&self, name: &str, address: DockerAddress) -> Result<String, String> {
        if self.host_config.network_mode == "host" {
            return Ok(OF_HOST.to_owned());
        }
        match address {
            DockerAddress::Name => Ok(name.to_owned()),
            DockerAddress::Ip => {
                let networks = self.network_settings.iter().filter_map(|settings| settings.networks.as_ref());
                let addresses = networks.flat_map(BTreeMap::values).flatten().map(|network| &network.ip_address);
                let first = addresses.into_iter().find(|address| !address.is_empty());
                first.cloned().ok_or_else(|| "it has no address on a network".to_owned())
            }
        }
    }
}

fn failed(trouble: &Trouble) -> Failed {
    let text = trouble.to_string();
    match trouble {
        Trouble::Absent(_) | Trouble::Silent(_) => Failed::NoAnswer(text),
        Trouble::Forbidden(_) | Trouble::Denied(_) => Failed::Refused(text),
        Trouble::Failed(_) => Failed::Status(500),
        Trouble::Missing(_) | Trouble::Conflict(_) | Trouble::Refused(_) => Failed::NotUnderstood(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn containers(text: &str) -> Vec<Listed> {
        serde_json::from_str(text).unwrap()
    }

    const SHOP: &str = r#"{"Id":"a","Names":["/other/shop","/shop"],"State":"running","Labels":{"wa-watchdog.enable":"true",
        "wa-watchdog.dialect":"waha","wa-watchdog.session":"default","wa-watchdog.name":"Shop"},
        "Ports":[{"IP":"0.0.0.0","PrivatePort":3000,"PublicPort":80,"Type":"tcp"},{"IP":"::","PrivatePort":3000,"Type":"tcp"},
        {"PrivatePort":53,"Type":"udp"}],"HostConfig":{"NetworkMode":"net"},
        "NetworkSettings":{"Networks":{"net":{"IPAddress":"172.18.0.3"}}}}"#;

    #[test]
    fn labels_say_how_a_container_is_asked() {
        let list = containers(&format!("[{SHOP}]"));
        let heard = read(&list, DockerAddress::Name, &BTreeMap::new());
        let shop = &heard.found[0];
        assert_eq!((shop.key.as_str(), shop.name.as_str(), shop.url.as_str()), ("shop", "Shop", "http://shop:3000"));
        assert_eq!((shop.dialect.as_deref(), shop.session.as_deref()), (Some("waha"), Some("default")));
        let heard = read(&list, DockerAddress::Ip, &BTreeMap::new());
        assert_eq!(heard.found[0].url, "http://172.18.0.3:3000");
        let labelled = r#"[{"Names":["/b"],"Labels":{"wa-watchdog.port":"8443","wa-watchdog.scheme":"https",
            "wa-watchdog.path":"/api"},"HostConfig":{"NetworkMode":"host"}}]"#;
        let heard = read(&containers(labelled), DockerAddress::Name, &BTreeMap::new());
        assert_eq!(heard.found[0].url, "https://127.0.0.1:8443/api");
    }

    #[test]
    fn a_container_that_cannot_be_asked_says_why() {
        let why = |rest: &str| {
            let text = format!(r#"[{{"Names":["/b"],"State":"running"{rest}}}]"#);
            read(&containers(&text), DockerAddress::Ip, &BTreeMap::new()).odd.pop().map(|(_, why)| why)
        };
        let label =
            |key: &str, value: &str| format!(r#","Labels":{{"wa-watchdog.port":"1","wa-watchdog.{key}":"{value}"}}"#);
        assert_eq!(why("").as_deref(), Some("it has no label wa-watchdog.port, and exposes no port"));
        let two = r#","Ports":[{"PrivatePort":1,"Type":"tcp"},{"PrivatePort":2,"Type":"tcp"}]"#;
        assert_eq!(why(two).as_deref(), Some("it has no label wa-watchdog.port, and exposes several ports"));
        assert_eq!(why(&label("x", "y")).as_deref(), Some("it has no address on a network"));
        assert_eq!(
            why(&label("scheme", "ftp")).as_deref(),
            Some("the label wa-watchdog.scheme is neither http nor https")
        );
        assert_eq!(why(&label("path", "x")).as_deref(), Some("the label wa-watchdog.path does not begin with a slash"));
        let text = r#"[{"Names":["/b"],"Labels":{"wa-watchdog.port":"http"}}]"#;
        let odd = read(&containers(text), DockerAddress::Name, &BTreeMap::new()).odd;
        assert_eq!(odd, [("b".to_owned(), "the label wa-watchdog.port is no port".to_owned())]);
    }

    #[test]
    fn one_that_is_down_is_still_the_same_one_and_one_put_aside_is_none() {
        let known: BTreeMap<String, Found> =
            read(&containers(&format!("[{SHOP}]")), DockerAddress::Ip, &BTreeMap::new())
                .found
                .into_iter()
                .map(|found| (found.key.clone(), found))
                .collect();
        let down = r#"[{"Names":["/shop"],"State":"exited","Labels":{},"Ports":[]},
            {"Names":["/shop-wa-watchdog-17"],"State":"exited","Labels":{"wa-watchdog.port":"1"}}]"#;
        let heard = read(&containers(down), DockerAddress::Ip, &known);
        assert_eq!((heard.found.as_slice(), heard.odd.len()), ([known["shop"].clone()].as_slice(), 0));
        assert_eq!(read(&containers(down), DockerAddress::Ip, &BTreeMap::new()).odd.len(), 1);
    }
}
