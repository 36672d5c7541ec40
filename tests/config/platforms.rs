//! The hooks for Coolify and Kubernetes: what their keys mean, and their mistakes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use wa_watchdog::config::{
    self, Call, CoolifyAt, CoolifyDeed, CoolifyResource, KubernetesAt, KubernetesDeed, Namespace, Secret, Settings,
    Workload,
};
use wa_watchdog::engine::ladder::Remedy;
use wa_watchdog::engine::plan::Resume;

use crate::{SHOP, in_words, write_private};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// The rows of a plan: name, whether it destroys, whether it leaves the service running, whether it can be undone, and how it is resumed.
type Rows = Vec<(String, bool, bool, bool, Resume)>;

fn rows(settings: &Settings, remedy: Remedy) -> Rows {
    let plan = &settings.policy.targets["shop"].plans[&remedy];
    assert!(!plan.has_look);
    let row = |step: &wa_watchdog::engine::plan::Step| {
        (step.name.0.to_string(), step.destroys, step.leaves_running, step.has_undo, step.resume)
    };
    plan.steps.iter().map(row).collect()
}

fn row(name: &str, flags: [bool; 3], resume: Resume) -> (String, bool, bool, bool, Resume) {
    let [destroys, leaves_running, has_undo] = flags;
    (name.to_owned(), destroys, leaves_running, has_undo, resume)
}

/// A folder with a token in it.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_private(&folder.path().join("token"), "7|secret");
    let ca = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    write_private(&folder.path().join("ca.pem"), ca);
    folder
}

fn parse(folder: &Path, text: &str) -> Result<Settings, String> {
    let parsed = config::parse(&format!("{SHOP}{text}"), "f", folder, &crate::env(&[("COOLIFY", "7|secret")]));
    parsed.map_err(|problems| in_words(&problems))
}

fn deeds(settings: &Settings, remedy: Remedy) -> Vec<Call> {
    settings.targets["shop"].hooks[&remedy].steps.iter().map(|step| step.run.clone()).collect()
}

#[test]
fn every_key_of_a_coolify_hook_arrives() {
    let folder = folder();
    let text = r#"
[target.shop.remedy.reset]
allow_destructive = true
[target.shop.remedy.reset.coolify]
url = "https://coolify.example/"
uuid = "bsow8kw4-x"
token_file = "token"
resource = "application"
mount_path = "/app/data/"
settle = "7s"
stop_within = "3m"
start_within = "10m"
ask_every = "1s"
[target.shop.remedy.restart.coolify]
url = "http://coolify:8000/api/v1"
uuid = "x"
token_env = "COOLIFY"
resource = "service"
"#;
    let settings = parse(folder.path(), text).expect("it is well");
    let expected = CoolifyAt {
        api: "https://coolify.example/api/v1".to_owned(),
        resource: CoolifyResource::Application,
        uuid: "bsow8kw4-x".to_owned(),
        token: Secret::File(folder.path().join("token")),
        ask_every: secs(1),
    };
    let start = CoolifyDeed::Start { within: secs(600), settle: secs(7) };
    let wanted = [
        (CoolifyDeed::Find { mount_path: "/app/data".to_owned() }, secs(60)),
        (CoolifyDeed::Stop { within: secs(180), settle: secs(7) }, secs(180 + 7 + 60)),
        (CoolifyDeed::Rotate, secs(60)),
        (start.clone(), secs(600 + 7 + 60)),
    ];
    for (call, (deed, timeout)) in deeds(&settings, Remedy::Reset).into_iter().zip(wanted) {
        let Call::Coolify(call) = call else { panic!("{call:?}") };
        assert_eq!((&call.at, &call.deed, call.timeout), (&expected, &deed, timeout));
    }
    let stop = &settings.targets["shop"].hooks[&Remedy::Reset].steps[1];
    assert!(matches!(&stop.undo, Some(Call::Coolify(call)) if call.deed == start));
    let reset: Rows = vec![
        row("find", [false; 3], Resume::Again),
        row("stop", [false, false, true], Resume::Again),
        row("rotate", [true, false, false], Resume::Check),
        row("start", [false, true, false], Resume::Again),
    ];
    assert_eq!(rows(&settings, Remedy::Reset), reset);
    let restart: Rows =
        vec![row("stop", [false, false, true], Resume::Again), row("start", [false, true, false], Resume::Again)];
    assert_eq!(rows(&settings, Remedy::Restart), restart);
    let Call::Coolify(call) = &deeds(&settings, Remedy::Restart)[0] else { panic!("a call of Coolify") };
    assert_eq!((call.at.api.as_str(), call.at.resource), ("http://coolify:8000/api/v1", CoolifyResource::Service));
    assert_eq!((&call.at.token, call.at.ask_every), (&Secret::Env("COOLIFY".to_owned()), secs(2)));
    assert_eq!(call.deed, CoolifyDeed::Stop { within: secs(120), settle: secs(5) });
}

#[test]
fn where_a_restart_loses_the_session_the_stop_destroys() {
    let folder = folder();
    let text = "restart_keeps_session = false\n[target.shop.remedy.restart]\nallow_destructive = true\n\
                [target.shop.remedy.restart.KIND]\n";
    let coolify = "url = \"http://c\"\nuuid = \"x\"\ntoken_file = \"token\"\n";
    let settings = parse(folder.path(), &[&text.replace("KIND", "coolify"), coolify].concat()).expect("it is well");
    assert_eq!(rows(&settings, Remedy::Restart)[0], row("stop", [true, false, true], Resume::Again));
    let kubernetes = "workload = \"statefulset/wa\"\n";
    let text = [&text.replace("KIND", "kubernetes"), kubernetes].concat();
    let settings = parse(folder.path(), &text).expect("it is well");
    assert_eq!(rows(&settings, Remedy::Restart)[0], row("delete-pod", [true, false, false], Resume::Check));
}

#[test]
fn every_key_of_a_kubernetes_hook_arrives() {
    let folder = folder();
    let text = r#"
[target.shop.remedy.reset]
allow_destructive = true
[target.shop.remedy.reset.kubernetes]
workload = "statefulset/wa"
session_dir = "/session"
api = "https://127.0.0.1:6443/"
token_file = "token"
ca_file = "ca.pem"
namespace = "shop"
selector = "app=wa,tier in (session)"
method = "delete_pod"
grace = "10s"
ready_within = "3m"
ask_every = "500ms"
[target.shop.remedy.restart.kubernetes]
workload = "Deployment/wa"
"#;
    let settings = parse(folder.path(), text).expect("it is well");
    let expected = KubernetesAt {
        api: "https://127.0.0.1:6443".to_owned(),
        token: Secret::File(folder.path().join("token")),
        ca_file: Some(folder.path().join("ca.pem")),
        namespace: Namespace::Named("shop".to_owned()),
        workload: Workload::StatefulSet,
        name: "wa".to_owned(),
        selector: Some("app=wa,tier in (session)".to_owned()),
        ask_every: Duration::from_millis(500),
    };
    let session_dir = PathBuf::from("/session");
    let wanted = [
        (KubernetesDeed::Mark { session_dir: session_dir.clone() }, secs(60)),
        (KubernetesDeed::DeletePod { grace: secs(10) }, secs(70)),
        (KubernetesDeed::Ready { within: secs(180), session_dir: Some(session_dir) }, secs(240)),
    ];
    for (call, (deed, timeout)) in deeds(&settings, Remedy::Reset).into_iter().zip(wanted) {
        let Call::Kubernetes(call) = call else { panic!("{call:?}") };
        assert_eq!((&call.at, &call.deed, call.timeout), (&expected, &deed, timeout));
    }
    let reset: Rows = vec![
        row("mark", [false, false, true], Resume::Again),
        row("delete-pod", [true, false, false], Resume::Check),
        row("ready", [false, true, false], Resume::Again),
    ];
    assert_eq!(rows(&settings, Remedy::Reset), reset);
    let restart: Rows =
        vec![row("rollout", [false; 3], Resume::Again), row("ready", [false, true, false], Resume::Again)];
    assert_eq!(rows(&settings, Remedy::Restart), restart);
    let Call::Kubernetes(call) = &deeds(&settings, Remedy::Restart)[0] else { panic!("a call of Kubernetes") };
    let account = Path::new("/var/run/secrets/kubernetes.io/serviceaccount");
    let expected = KubernetesAt {
        api: "https://kubernetes.default.svc".to_owned(),
        token: Secret::File(account.join("token")),
        ca_file: Some(account.join("ca.crt")),
        namespace: Namespace::InFile(account.join("namespace")),
        workload: Workload::Deployment,
        name: "wa".to_owned(),
        selector: None,
        ask_every: secs(2),
    };
    assert_eq!((&call.at, &call.deed), (&expected, &KubernetesDeed::Rollout));
}

#[test]
fn a_platform_hook_must_make_sense() {
    let folder = folder();
    let coolify = "url = \"http://c\"\nuuid = \"x\"\ntoken_file = \"token\"\n";
    let kubernetes = "workload = \"statefulset/wa\"\n";
    let mut words = String::new();
    for (remedy, kind, keys) in [
        ("reconnect", "coolify", ""),
        ("restart", "coolify", ""),
        (
            "restart",
            "coolify",
            "url = \"http://c?a=b\"\nuuid = \"../x\"\ntoken = \"secret\"\nresource = \"database\"\n",
        ),
        (
            "restart",
            "coolify",
            &format!("{coolify}mount_path = \"/app\"\ndocker_cleanup = true\nask_every = \"1ms\"\n"),
        ),
        ("reset", "coolify", coolify),
        ("reset", "coolify", &format!("{coolify}mount_path = \"data\"\n")),
        ("reset", "coolify", &format!("{coolify}mount_path = \"/app\"\nresource = \"service\"\n")),
        ("reconnect", "kubernetes", ""),
        ("restart", "kubernetes", ""),
        (
            "restart",
            "kubernetes",
            "workload = \"daemonset/wa\"\nselector = \"a=b&c\"\nnamespace = \"A/b\"\napi = \"k8s\"\n",
        ),
        ("restart", "kubernetes", "workload = \"deployment/wa\"\nmethod = \"delete_pod\"\n"),
        ("restart", "kubernetes", &format!("{kubernetes}method = \"scale\"\nsession_dir = \"/session\"\n")),
        ("reset", "kubernetes", kubernetes),
        ("reset", "kubernetes", &format!("{kubernetes}session_dir = \"/a/../b\"\nentries = [\"x\"]\n")),
    ] {
        let text = format!(
            "[target.shop.remedy.{remedy}]\nallow_destructive = true\n[target.shop.remedy.{remedy}.{kind}]\n{keys}"
        );
        words.extend([&parse(folder.path(), &text).expect_err(&text), "\n"]);
    }
    insta::assert_snapshot!(words, @r#"
    f:6: target.shop.remedy.reconnect.coolify: cannot reconnect a session
      hint: an application can be restarted; write it under restart
    f:6: target.shop.remedy.restart.coolify.url: is missing
      hint: write where Coolify is, as in url = "https://coolify.example"
    f:6: target.shop.remedy.restart.coolify.uuid: is missing
      hint: write the identifier that stands last in the URL of its page in Coolify
    f:6: target.shop.remedy.restart.coolify.token_file: is missing
      hint: name the file that holds a token with the abilities read and deploy, for a reset write too; or its variable in token_env
    f:6: target.shop.remedy.restart.coolify.token_file: is missing
      hint: name the file that holds a token with the abilities read and deploy, for a reset write too; or its variable in token_env
    f:7: target.shop.remedy.restart.coolify.url: has a query
      hint: write it as in "https://coolify.example"
    f:8: target.shop.remedy.restart.coolify.uuid: "../x" is not an identifier of Coolify
      hint: write the identifier that stands last in the URL of its page in Coolify
    f:9: target.shop.remedy.restart.coolify.token: unknown key
      hint: a token is read from token_file or token_env
    f:10: target.shop.remedy.restart.coolify.resource: "database" is not a kind of resource
      hint: write "application" or "service"
    f:10: target.shop.remedy.restart.coolify.mount_path: unknown key
      hint: a restart keeps the volume; it belongs to a reset
    f:11: target.shop.remedy.restart.coolify.docker_cleanup: unknown key
      hint: it is always false: a cleanup may remove the volume of what is stopped
    f:12: target.shop.remedy.restart.coolify.ask_every: is below 100ms
      hint: write something from 100ms to 1m
    f:6: target.shop.remedy.reset.coolify.mount_path: is missing
      hint: write where the session's volume is mounted in the container, as in mount_path = "/app/data"
    f:10: target.shop.remedy.reset.coolify.mount_path: is not a path in a container
      hint: write where the session's volume is mounted in the container, as in mount_path = "/app/data"
    f:6: target.shop.remedy.reset.coolify: cannot reset a service: the names of its volumes stand in its compose file
      hint: let the watchdog share the session's volume and use another hook, or take the session out of the stack
    f:6: target.shop.remedy.reconnect.kubernetes: cannot reconnect a session
      hint: a pod can be restarted; write it under restart
    f:6: target.shop.remedy.restart.kubernetes.workload: is missing
      hint: write which, as in workload = "statefulset/whatsapp-service"
    f:7: target.shop.remedy.restart.kubernetes.workload: "daemonset/wa" is not a workload
      hint: write which, as in workload = "statefulset/whatsapp-service"
    f:8: target.shop.remedy.restart.kubernetes.selector: "a=b&c" is not a selector of labels
      hint: write labels as kubectl takes them, as in selector = "app=whatsapp-service"
    f:9: target.shop.remedy.restart.kubernetes.namespace: "A/b" is not the name of a namespace
      hint: write its name, or leave the key out: then it is the watchdog's own
    f:10: target.shop.remedy.restart.kubernetes.api: is not a URL: relative URL without a base
      hint: write it as in "http://localhost:3001"
    f:8: target.shop.remedy.restart.kubernetes.method: puts two pods on one session: a Deployment makes the next one while this one is still ending
      hint: write "restart", or make it a StatefulSet
    f:8: target.shop.remedy.restart.kubernetes.method: "scale" is not a way to get a new pod
      hint: write "restart", a new rollout, or "delete_pod"
    f:9: target.shop.remedy.restart.kubernetes.session_dir: unknown key
      hint: a restart keeps the session; it belongs to a reset
    f:6: target.shop.remedy.reset.kubernetes.session_dir: is missing
      hint: mount the session's volume into the watchdog too, and write where: session_dir = "/session"
    f:8: target.shop.remedy.reset.kubernetes.session_dir: is not a whole path
      hint: mount the session's volume into the watchdog too, and write where: session_dir = "/session"
    f:9: target.shop.remedy.reset.kubernetes.entries: unknown key
      hint: the init container moves the session: see wa-watchdog wipe --help
    "#);
}

/// The manifests and the binary are made for each other.
#[test]
fn the_manifest_holds_a_good_configuration() {
    let manifest = std::fs::read_to_string(crate::root().join("config/kubernetes/configmap.yaml")).unwrap();
    let (_, toml) = manifest.split_once("  watchdog.toml: |\n").expect("the file in it");
    let lines = toml.lines().map(|line| line.strip_prefix("    ").unwrap_or(line));
    let text: String = lines.flat_map(|line| [line, "\n"]).collect();
    let stateful_set = std::fs::read_to_string(crate::root().join("config/kubernetes/statefulset.yaml")).unwrap();
    // The token is where the manifest mounts it; here it is elsewhere.
    let (_, mounted) =
        stateful_set.split_once("- name: WA_WATCHDOG__SERVER__TOKEN_FILE\n              value: ").unwrap();
    let (folder, _) = mounted.lines().next().unwrap().rsplit_once('/').unwrap();
    assert!(stateful_set.contains(&format!("- name: token\n              mountPath: {folder}\n")));
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(token.path(), "t").unwrap();
    let env = crate::env(&[("WA_WATCHDOG__SERVER__TOKEN_FILE", token.path().to_str().unwrap())]);
    let settings =
        config::parse(&text, "f", Path::new(""), &env).unwrap_or_else(|problems| panic!("{}", in_words(&problems)));
    assert_eq!(in_words(&settings.warnings), "");
    assert_eq!(rows(&settings, Remedy::Reset).len(), 3);
    let Call::Kubernetes(call) = &deeds(&settings, Remedy::Reset)[0] else { panic!("a call of Kubernetes") };
    let KubernetesDeed::Mark { session_dir } = &call.deed else { panic!("the mark comes first") };
    let mounted = format!("mountPath: {}\n", session_dir.display());
    // Where the init container obeys the mark, and where the watchdog leaves it.
    assert_eq!(stateful_set.matches(&mounted).count(), 2);
    assert!(stateful_set.contains(&format!("\"wipe\", \"--if-marker\", \"--session-dir\", {session_dir:?}]")));
    assert!(stateful_set.contains(&format!("metadata:\n  name: {}\n", call.at.name)));
}
