//! Where memory is read, and what follows the runtime.

use std::path::Path;
use std::time::Duration;

use wa_watchdog::config::{DockerEndpoint, MemoryPlace, ProcessRoot, Settings};

use crate::{SHOP, refused, settings};

fn read(text: &str) -> Settings {
    settings(&format!("{SHOP}{text}")).expect("it is well")
}

#[test]
fn a_container_whose_memory_is_read_is_followed_too() {
    let settings = read("[target.shop.memory.docker]\ncontainer = \"wa\"\nendpoint = \"tcp://proxy:2375\"\n");
    let senses = &settings.targets["shop"].senses;
    let memory = senses.memory.as_ref().expect("memory");
    let MemoryPlace::Docker(at) = &memory.place else { panic!("{memory:?}") };
    assert_eq!((at.container.as_str(), &at.endpoint), ("wa", &DockerEndpoint::Tcp("http://proxy:2375".to_owned())));
    assert_eq!((memory.every, memory.minimum), (Duration::from_secs(15), Some(512 << 20)));
    assert_eq!(senses.runtime.as_ref().map(|from| &from.at), Some(at));
    let watch = settings.policy.targets["shop"].memory;
    assert_eq!((watch.every, watch.minimum), (Some(Duration::from_secs(15)), Some(512 << 20)));

    let both = "[target.shop.memory.docker]\ncontainer = \"wa\"\n[target.shop.runtime.docker]\ncontainer = \"other\"\n";
    let senses = read(both).targets["shop"].senses.clone();
    assert_eq!(senses.runtime.map(|from| from.at.container).as_deref(), Some("other"), "what is said counts");
    assert_eq!(read("").targets["shop"].senses.runtime, None);
}

#[test]
fn every_place_is_read_and_only_a_browser_has_a_minimum_of_its_own() {
    let settings = read("[target.shop.memory.cgroup]\npath = \"/cgroup/wa\"\nminimum = \"0B\"\nevery = \"5s\"\n");
    let memory = settings.targets["shop"].senses.memory.clone().expect("memory");
    assert_eq!((memory.every, memory.minimum), (Duration::from_secs(5), None), "0 switches it off");
    assert_eq!(memory.place, MemoryPlace::Cgroup(Path::new("/cgroup/wa").to_owned()));
    assert_eq!(settings.targets["shop"].senses.runtime, None);

    let process = read("[target.shop.memory.process]\ncommand = \"server.js\"\nlimit = \"1GiB\"\nminimum = \"1GiB\"\n");
    let memory = process.targets["shop"].senses.memory.clone().expect("memory");
    let MemoryPlace::Process(at) = memory.place else { panic!("a process") };
    assert_eq!((at.root, at.limit), (ProcessRoot::Command("server.js".to_owned()), Some(1 << 30)));
    assert_eq!(memory.minimum, Some(1 << 30));

    let generic = "[target.b]\ndialect = \"generic\"\nurl = \"http://b\"\n[target.b.memory.prometheus]\n\
                   url = \"http://prometheus:9090/\"\nused = \"sum(x)\"\n";
    let memory = read(generic).targets["b"].senses.memory.clone().expect("memory");
    let MemoryPlace::Prometheus(at) = memory.place else { panic!("a Prometheus") };
    assert_eq!((at.url.as_str(), at.used.as_str(), at.limit), ("http://prometheus:9090", "sum(x)", None));
    assert_eq!(memory.minimum, None);
}

#[test]
fn every_mistake_is_told_with_what_to_do() {
    let cases = [
        ("[target.shop.memory]\n", "say one of docker, cgroup, process, prometheus"),
        ("[target.shop.memory.docker]\n", "docker.container: is missing"),
        (
            "[target.shop.memory.docker]\ncontainer = \"wa\"\n[target.shop.memory.cgroup]\npath = \"/x\"\n",
            "stands beside",
        ),
        ("[target.shop.memory.dokcer]\ncontainer = \"wa\"\n", "did you mean \"docker\"?"),
        ("[target.shop.memory.cgroup]\npath = \"/x\"\nevery = \"500ms\"\n", "is below 1s"),
        ("[target.shop.memory.cgroup]\npath = \"/x\"\nevery = \"11m\"\n", "is above 10m"),
        ("[target.shop.memory.cgroup]\n", "cgroup.path: is missing"),
        ("[target.shop.memory.process]\n", "write pid_file"),
        ("[target.shop.memory.process]\ncommand = \"a\"\npid_file = \"/b\"\n", "stands beside pid_file"),
        ("[target.shop.memory.process]\ncommand = \"node server.js\"\n", "is not the name of a process"),
        ("[target.shop.memory.prometheus]\nurl = \"http://p\"\n", "prometheus.used: is missing"),
        ("[target.shop.memory.prometheus]\nurl = \"http://p?query=x\"\nused = \"x\"\n", "has a query"),
        ("[target.shop.memory.prometheus]\nurl = \"p\"\nused = \" \"\n", "is blank"),
        ("[target.shop.runtime]\n", "runtime.docker: is missing"),
        ("[target.shop.runtime.docker]\ncontainer = \"wa\"\nevery = \"1s\"\n", "unknown key"),
    ];
    for (text, expected) in cases {
        let told = refused(&format!("{SHOP}{text}"));
        assert!(told.contains(expected), "{text}: {told}");
    }
}
