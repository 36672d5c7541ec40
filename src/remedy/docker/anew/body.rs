//! From an inspection of a container to the request that makes the same one again.

use serde_json::{Map, Value, json};

/// How many characters of an id stand for it as a host name and alias.
const SHORT_ID: usize = 12;
/// What is not asked for again: of the past, of the client that made it, or no longer known to daemons.
const NOT_OF_CONFIG: [&str; 6] =
    ["OnBuild", "MacAddress", "AttachStdin", "AttachStdout", "AttachStderr", "ArgsEscaped"];
const NOT_OF_HOST_CONFIG: [&str; 3] = ["KernelMemory", "KernelMemoryTCP", "ContainerIDFile"];
/// What a person said of an endpoint; everything else the daemon makes up.
const OF_ENDPOINT: [&str; 5] = ["IPAMConfig", "Links", "DriverOpts", "GwPriority", "Aliases"];

/// Returns the body of the request; `image` is how the image is named in it. `all_networks` says whether the daemon takes more than
/// one network at once (since API 1.44).
pub(super) fn create(inspection: &Value, image: &str, all_networks: bool) -> Value {
    let mut body = object(inspection.get("Config"));
    body.retain(|name, _| !NOT_OF_CONFIG.contains(&name.as_str()));
    body.insert("Image".to_owned(), Value::from(image));
    let mode = text(inspection, "/HostConfig/NetworkMode");
    let shares = mode == "host" || mode.starts_with("container:");
    if shares || text(inspection, "/Config/Hostname") == short_id(inspection) {
        // Made up by the daemon, and another one for another id.
        body.remove("Hostname");
    }
    body.insert("HostConfig".to_owned(), host_config(inspection));
    let mut endpoints = endpoints(inspection);
    if !all_networks {
        let first = first_network(inspection);
        endpoints.retain(|name, _| Some(name.as_str()) == first.as_deref());
    }
    body.insert("NetworkingConfig".to_owned(), json!({ "EndpointsConfig": endpoints }));
    Value::Object(body)
}

/// Returns the networks that a daemon before API 1.44 must be told of one by one, each with its endpoint.
pub(super) fn further_networks(inspection: &Value) -> Vec<(String, Value)> {
    let first = first_network(inspection);
    endpoints(inspection).into_iter().filter(|(name, _)| Some(name.as_str()) != first.as_deref()).collect()
}

/// The network that the container was made with.
fn first_network(inspection: &Value) -> Option<String> {
    let mode = text(inspection, "/HostConfig/NetworkMode");
    let endpoints = endpoints(inspection);
    if endpoints.contains_key(mode) { Some(mode.to_owned()) } else { endpoints.keys().next().cloned() }
}

fn host_config(inspection: &Value) -> Value {
    let mut config = object(inspection.get("HostConfig"));
    config.retain(|name, _| !NOT_OF_HOST_CONFIG.contains(&name.as_str()));
    if let Some(Value::Object(ports)) = config.get_mut("PortBindings") {
        ports.retain(|_, bindings| bindings.as_array().is_none_or(|bindings| !bindings.is_empty()));
    }
    // They come back as /a:/wa/alias, and are asked for as /a:alias.
    if let Some(Value::Array(links)) = config.get_mut("Links") {
        for link in links {
            if let Some((from, to)) = link.as_str().and_then(|link| link.split_once(':')) {
                let alias = to.rsplit('/').next().unwrap_or(to);
                *link = Value::from(format!("{from}:{alias}"));
            }
        }
    }
    let unnamed = anonymous_volumes(inspection);
    if !unnamed.is_empty() {
        let binds = config.entry("Binds").or_insert(Value::Null);
        if !binds.is_array() {
            *binds = json!([]);
        }
        if let Value::Array(binds) = binds {
            binds.extend(unnamed.into_iter().map(Value::from));
        }
    }
    Value::Object(config)
}

/// Volumes without a name of a person's choice are listed among the mounts alone: without a word a new one would be made.
fn anonymous_volumes(inspection: &Value) -> Vec<String> {
    let binds: Vec<&str> = strings(inspection.pointer("/HostConfig/Binds"));
    let mounts = inspection.pointer("/HostConfig/Mounts").and_then(Value::as_array).cloned().unwrap_or_default();
    let is_asked_for = |place: &str| {
        binds.iter().any(|bind| bind.split(':').nth(1) == Some(place))
            || mounts.iter().any(|mount| mount.get("Target").and_then(Value::as_str) == Some(place))
    };
    let all = inspection.get("Mounts").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let bind = |mount: &Value| {
        let (name, place) = (mount.get("Name")?.as_str()?, mount.get("Destination")?.as_str()?);
        let is_volume = mount.get("Type").and_then(Value::as_str) == Some("volume");
        let is_read_only = mount.get("RW").and_then(Value::as_bool) == Some(false);
        let end = if is_read_only { ":ro" } else { "" };
        (is_volume && !is_asked_for(place)).then(|| format!("{name}:{place}{end}"))
    };
    all.iter().filter_map(bind).collect()
}

fn endpoints(inspection: &Value) -> Map<String, Value> {
    let short = short_id(inspection);
    let networks = object(inspection.pointer("/NetworkSettings/Networks"));
    let endpoint = |(name, endpoint): (String, Value)| {
        let mut endpoint = object(Some(&endpoint));
        endpoint.retain(|key, value| OF_ENDPOINT.contains(&key.as_str()) && !value.is_null());
        if let Some(Value::Array(aliases)) = endpoint.get_mut("Aliases") {
            aliases.retain(|alias| alias.as_str() != Some(short.as_str()));
        }
        (name, Value::Object(endpoint))
    };
    networks.into_iter().map(endpoint).collect()
}

fn short_id(inspection: &Value) -> String {
    text(inspection, "/Id").chars().take(SHORT_ID).collect()
}

pub(super) fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn strings(value: Option<&Value>) -> Vec<&str> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

fn object(value: Option<&Value>) -> Map<String, Value> {
    value.and_then(Value::as_object).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inspection() -> Value {
        json!({
            "Id": "0123456789abcdef",
            "Config": {
                "Hostname": "0123456789ab", "Env": ["A=b"], "Labels": { "com.docker.compose.project": "mlh" }, "Image": "svc:1",
                "StopSignal": "SIGINT", "OnBuild": null, "AttachStdout": true, "Volumes": { "/cache": {} },
            },
            "HostConfig": {
                "Binds": ["wa:/app/data:rw"], "Memory": 1_073_741_824_u64, "NetworkMode": "front", "KernelMemory": 0,
                "PortBindings": { "3001/tcp": [{ "HostPort": "3001" }], "9/tcp": [] }, "Links": ["/db:/wa/database"],
                "RestartPolicy": { "Name": "unless-stopped" },
            },
            "Mounts": [
                { "Type": "volume", "Name": "wa", "Destination": "/app/data", "RW": true },
                { "Type": "volume", "Name": "ffff", "Destination": "/cache", "RW": true },
            ],
            "NetworkSettings": { "Networks": {
                "back": { "Aliases": ["svc", "0123456789ab"], "IPAddress": "172.18.0.2", "MacAddress": "02:42:ac:12:00:02" },
                "front": { "IPAMConfig": { "IPv4Address": "172.19.0.9" }, "Gateway": "172.19.0.1", "Aliases": null },
            } },
        })
    }

    #[test]
    fn the_same_container_is_asked_for_again() {
        let body = create(&inspection(), "svc:1", true);
        assert_eq!(body.get("Hostname"), None);
        assert_eq!(body.pointer("/Labels/com.docker.compose.project"), Some(&json!("mlh")));
        assert_eq!((text(&body, "/StopSignal"), body.get("OnBuild")), ("SIGINT", None));
        assert_eq!(body.pointer("/HostConfig/Memory"), Some(&json!(1_073_741_824)));
        assert_eq!(body.pointer("/HostConfig/PortBindings"), Some(&json!({ "3001/tcp": [{ "HostPort": "3001" }] })));
        assert_eq!(body.pointer("/HostConfig/Links"), Some(&json!(["/db:database"])));
        assert_eq!(body.pointer("/HostConfig/Binds"), Some(&json!(["wa:/app/data:rw", "ffff:/cache"])));
        let endpoints = body.pointer("/NetworkingConfig/EndpointsConfig").unwrap();
        assert_eq!(endpoints.pointer("/back"), Some(&json!({ "Aliases": ["svc"] })));
        assert_eq!(endpoints.pointer("/front"), Some(&json!({ "IPAMConfig": { "IPv4Address": "172.19.0.9" } })));
    }

    #[test]
    fn an_older_daemon_is_told_of_its_networks_one_by_one() {
        let body = create(&inspection(), "sha256:0", false);
        let endpoints = body.pointer("/NetworkingConfig/EndpointsConfig").and_then(Value::as_object).unwrap();
        assert_eq!(endpoints.keys().collect::<Vec<_>>(), ["front"]);
        assert_eq!(further_networks(&inspection()).iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["back"]);
    }

    #[test]
    fn a_host_name_of_ones_own_stays_and_a_shared_one_goes() {
        let mut own = inspection();
        *own.pointer_mut("/Config/Hostname").unwrap() = json!("wa-1");
        assert_eq!(text(&create(&own, "svc:1", true), "/Hostname"), "wa-1");
        *own.pointer_mut("/HostConfig/NetworkMode").unwrap() = json!("host");
        assert_eq!(create(&own, "svc:1", true).get("Hostname"), None);
    }
}
