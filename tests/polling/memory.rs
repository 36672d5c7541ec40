//! Memory, from each place where it can be read.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::timeout;
use wa_watchdog::config::{MemoryFrom, MemoryPlace, ProcessAt, ProcessRoot, PrometheusAt, Secret, Senses, Target};
use wa_watchdog::engine::Sample;
use wa_watchdog::engine::sample::Memory;
use wa_watchdog::recording::{News, Raw};
use wa_watchdog::source::Sources;

use crate::daemon::Daemon;
use crate::fleet::sources_of;
use crate::{PATIENCE, shop, until};

/// As Docker 20.10 on cgroup v1 answered, and the keys of one on cgroup v2.
const V1: &str = include_str!("../fixtures/docker/stats-v1.json");
const V2: &str = include_str!("../fixtures/docker/stats-v2.json");
const STOPPED: &str = r#"{"read":"0001-01-01T00:00:00Z","memory_stats":{},"name":"/wa","id":"9f2d"}"#;

fn follow(place: MemoryPlace) -> (Sources, mpsc::Receiver<News>) {
    let memory = MemoryFrom { place, every: Duration::from_millis(10), minimum: None };
    let senses = Senses { memory: Some(memory), ..Senses::default() };
    sources_of(Target { senses, ..shop("http://127.0.0.1:1") })
}

async fn next(samples: &mut mpsc::Receiver<News>) -> Memory {
    let news = timeout(PATIENCE, samples.recv()).await.unwrap().unwrap();
    let Sample::Memory(memory) = news.sample else { panic!("{news:?}") };
    assert_eq!(news.raw, Raw::Memory(memory));
    memory
}

/// The first reading for which something holds.
async fn next_that(samples: &mut mpsc::Receiver<News>, holds: impl Fn(&Memory) -> bool) -> Memory {
    loop {
        let memory = next(samples).await;
        if holds(&memory) {
            return memory;
        }
    }
}

/// A daemon whose container says this of its memory, and has this limit.
fn says(stats: &str, limit: u64) -> impl Fn(&str) -> (u16, String) + Send + 'static {
    let (stats, inspect) = (stats.to_owned(), json!({ "HostConfig": { "Memory": limit } }).to_string());
    move |path| (200, if path.contains("/stats") { stats.clone() } else { inspect.clone() })
}

#[tokio::test]
async fn a_daemon_tells_what_is_in_use_and_a_new_limit_is_seen_at_once() {
    let daemon = Daemon::start(says(V1, 64 << 20)).await;
    let (_sources, mut samples) = follow(MemoryPlace::Docker(daemon.container()));
    let memory = next(&mut samples).await;
    assert_eq!((memory.used_bytes, memory.limit_bytes, memory.oom_kills), (1_052_672, Some(64 << 20), None));
    for _ in 0..5 {
        next(&mut samples).await;
    }
    assert_eq!(daemon.asked("/containers/wa/json").len(), 1, "it is known meanwhile");
    assert!(daemon.asked("/stats")[0].starts_with("GET /v1.41/containers/wa/stats?stream=false&one-shot=true "));
    // As `docker update -m 1g` does.
    daemon.answers(says(&V1.replace(r#""limit":67108864"#, r#""limit":1073741824"#), 1 << 30));
    assert_eq!(next_that(&mut samples, |memory| memory.limit_bytes != Some(64 << 20)).await.limit_bytes, Some(1 << 30));
}

#[tokio::test]
async fn the_memory_of_the_host_is_no_limit() {
    let daemon = Daemon::start(says(&V2.replace(r#""limit":1073741824"#, r#""limit":25276502016"#), 0)).await;
    let (_sources, mut samples) = follow(MemoryPlace::Docker(daemon.container()));
    let memory = next(&mut samples).await;
    assert_eq!((memory.used_bytes, memory.limit_bytes), (393_641_984, None));
}

#[tokio::test]
async fn what_does_not_run_or_cannot_be_understood_is_a_gap() {
    let daemon = Daemon::start(says(STOPPED, 64 << 20)).await;
    let (_sources, mut samples) = follow(MemoryPlace::Docker(daemon.container()));
    let asked = |times| {
        let daemon = &daemon;
        until("it is asked on", move || times <= daemon.asked("/stats").len())
    };
    asked(3).await;
    for odd in ["", "null", "[7]", r#"{"memory_stats":"much"}"#, "<h1>It works!</h1>"] {
        let so_far = daemon.asked("/stats").len();
        daemon.answers(says(odd, 0));
        asked(so_far + 2).await;
    }
    let so_far = daemon.asked("/stats").len();
    daemon.answers(|_| (404, r#"{"message":"No such container: wa"}"#.to_owned()));
    asked(so_far + 2).await;
    assert!(samples.try_recv().is_err(), "not one reading");
    daemon.answers(says(V1, 64 << 20));
    assert_eq!(next(&mut samples).await.used_bytes, 1_052_672);
}

#[tokio::test]
async fn a_daemon_that_takes_no_one_shot_is_asked_without_it() {
    let good = says(V1, 64 << 20);
    let daemon = Daemon::start(move |path: &str| {
        if path.contains("one-shot") { (400, r#"{"message":"unknown parameter"}"#.to_owned()) } else { good(path) }
    })
    .await;
    let (_sources, mut samples) = follow(MemoryPlace::Docker(daemon.container()));
    next(&mut samples).await;
    next(&mut samples).await;
    assert_eq!(daemon.asked("one-shot").len(), 1, "once is enough");
}

#[tokio::test]
async fn a_folder_of_the_kernel_is_read_and_may_come_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let group = folder.path().join("wa");
    let (_sources, mut samples) = follow(MemoryPlace::Cgroup(group.clone()));
    fs::create_dir(&group).unwrap();
    for (name, text) in [("memory.max", "1073741824\n"), ("memory.events", "oom_kill 1\n"), ("memory.current", "500\n")]
    {
        fs::write(group.join(name), text).unwrap();
    }
    let memory = next_that(&mut samples, |memory| memory.oom_kills.is_some()).await;
    assert_eq!(memory, Memory { used_bytes: 500, limit_bytes: Some(1 << 30), oom_kills: Some(1) });
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn processes_are_found_by_their_name() {
    let folder = tempfile::tempdir().unwrap();
    let name = format!("wa-memory-{}", std::process::id());
    let program = folder.path().join(&name);
    fs::copy(fs::canonicalize("/bin/sleep").unwrap(), &program).unwrap();
    let mut child = Command::new(&program).arg("60").spawn().unwrap();
    let at = ProcessAt { root: ProcessRoot::Command(name), limit: Some(64 << 20) };
    let (_sources, mut samples) = follow(MemoryPlace::Process(at));
    let memory = next_that(&mut samples, |memory| 0 < memory.used_bytes).await;
    assert!(memory.used_bytes < 64 << 20, "{memory:?}");
    assert_eq!(memory.limit_bytes, Some(64 << 20));
    child.kill().unwrap();
    child.wait().unwrap();
}

/// An answer with one number of that time, or with none.
fn number(value: Option<&str>, at: f64) -> String {
    let result: Vec<_> = value.iter().map(|value| json!({ "metric": {}, "value": [at, value] })).collect();
    json!({ "status": "success", "data": { "resultType": "vector", "result": result } }).to_string()
}

#[tokio::test]
async fn a_prometheus_is_asked_for_each_number_and_one_that_it_does_not_know_is_unknown() {
    let now = crate::clock()().wall.secs_f64();
    let knows = move |used: Option<&'static str>, limit: Option<&'static str>, age: f64| {
        move |path: &str| match path {
            _ if path.contains("query=used") => (200, number(used, now - age)),
            _ if path.contains("query=limit") => (200, number(limit, now)),
            _ => (200, number(Some("3"), now)),
        }
    };
    let prometheus = Daemon::start(knows(Some("4.18217984e+08"), Some("1073741824"), 0.0)).await;
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    fs::write(&token, "s3cret\n").unwrap();
    let (_sources, mut samples) = follow(at(&prometheus, Some(token)));
    let memory = next(&mut samples).await;
    assert_eq!(memory, Memory { used_bytes: 418_217_984, limit_bytes: Some(1 << 30), oom_kills: Some(3) });
    assert!(prometheus.heads().iter().all(|head| head.contains("authorization: Bearer s3cret")));
    assert!(
        prometheus.asked("query=used{a=%22b%22}").len() + prometheus.asked("query=used%7Ba%3D%22b%22%7D").len() > 0
    );

    prometheus.answers(knows(Some("5"), None, 0.0));
    assert_eq!(next_that(&mut samples, |memory| memory.used_bytes == 5).await.limit_bytes, None);
    prometheus.answers(knows(Some("6"), Some("0"), 0.0));
    assert_eq!(next_that(&mut samples, |memory| memory.used_bytes == 6).await.limit_bytes, None, "0 is none");
}

#[tokio::test]
async fn what_a_prometheus_does_not_know_is_a_gap() {
    let now = crate::clock()().wall.secs_f64();
    let prometheus = Daemon::start(move |_: &str| (200, number(None, now))).await;
    let (_sources, mut samples) = follow(at(&prometheus, None));
    let odd: [(u16, String); 6] = [
        (200, number(Some("NaN"), now)),
        (200, number(Some("5"), now - 400.0)),
        (200, "<html>".to_owned()),
        (200, json!({ "status": "success" }).to_string()),
        (400, json!({ "status": "error", "error": "parse error" }).to_string()),
        (503, String::new()),
    ];
    for answer in odd {
        let so_far = prometheus.asked("/api/v1/query").len();
        prometheus.answers(move |_| answer.clone());
        until("it is asked on", || so_far + 2 <= prometheus.asked("/api/v1/query").len()).await;
    }
    assert!(samples.try_recv().is_err(), "not one reading");
    prometheus.answers(move |_| (200, number(Some("5"), now)));
    assert_eq!(next(&mut samples).await.used_bytes, 5);
}

fn at(prometheus: &Daemon, token: Option<PathBuf>) -> MemoryPlace {
    MemoryPlace::Prometheus(Box::new(PrometheusAt {
        url: prometheus.url.clone(),
        used: r#"used{a="b"}"#.to_owned(),
        limit: Some("limit".to_owned()),
        oom: Some("oom".to_owned()),
        token: token.map(Secret::File),
    }))
}
