//! The hook for Docker.

use std::time::Duration;

use wa_watchdog::config::{Call, DockerDeed, DockerEndpoint, Settings};
use wa_watchdog::engine::ladder::Remedy;
use wa_watchdog::engine::plan::Resume;

use crate::{SHOP, refused, settings};

const RESET: &str =
    "[target.shop.remedy.reset]\nallow_destructive = true\n[target.shop.remedy.reset.docker]\ncontainer = \"wa\"\n";

fn read(text: &str) -> Settings {
    settings(text).expect("it is well")
}

#[test]
fn a_reset_moves_the_session_aside_and_a_restore_moves_it_back() {
    let settings =
        read(&format!("{SHOP}{RESET}session_dir = \"/session\"\nentries = [\"auth*\"]\nkeep = {{ runs = 5 }}\n"));
    let plans = &settings.policy.targets["shop"].plans;
    let names = |remedy| plans[&remedy].steps.iter().map(|step| step.name.to_string()).collect::<Vec<_>>();
    assert_eq!(names(Remedy::Reset), ["find", "stop", "quarantine", "start"]);
    assert_eq!(names(Remedy::Restore), ["find", "stop", "restore", "start"]);
    let [find, stop, wipe, start] = &plans[&Remedy::Reset].steps[..] else { panic!("four steps") };
    assert!(!find.destroys && !stop.destroys && wipe.destroys && !start.destroys);
    assert!(stop.has_undo && start.leaves_running && plans[&Remedy::Reset].has_look);
    assert_eq!((stop.resume, wipe.resume), (Resume::Again, Resume::Check));
    let Call::Docker(call) = &settings.targets["shop"].hooks[&Remedy::Reset].steps[2].run else { panic!("docker") };
    let DockerDeed::Quarantine(vault) = &call.deed else { panic!("a quarantine") };
    assert_eq!((vault.entries.as_slice(), vault.keep.runs), (&["auth*".to_owned()][..], 5));
    assert_eq!(call.at.endpoint, DockerEndpoint::Unix("/var/run/docker.sock".into()));
}

#[test]
fn a_container_made_anew_is_saved_and_rehearsed_first_and_cannot_be_restored() {
    let settings = read(&format!(
        "{SHOP}{RESET}endpoint = \"tcp://proxy:2375\"\nmethod = \"recreate\"\nvolumes = [\"mlh_whatsapp-session\"]\n"
    ));
    let plans = &settings.policy.targets["shop"].plans;
    let names: Vec<String> = plans[&Remedy::Reset].steps.iter().map(|step| step.name.to_string()).collect();
    assert_eq!(names, ["save", "stop", "rehearse", "recreate", "start"]);
    assert!(!plans.contains_key(&Remedy::Restore));
}

#[test]
fn a_restart_keeps_the_session_unless_the_configuration_says_otherwise() {
    let hook =
        "[target.shop.remedy.restart.docker]\ncontainer = \"wa\"\nstop_signal = \"SIGINT\"\nstop_timeout = \"1m\"\n";
    let settings = read(&format!("{SHOP}{hook}clear_locks = true\nsession_dir = \"/session\"\n"));
    let plan = &settings.policy.targets["shop"].plans[&Remedy::Restart];
    assert_eq!(
        plan.steps.iter().map(|step| step.name.to_string()).collect::<Vec<_>>(),
        ["stop", "clear-locks", "start"]
    );
    assert!(plan.steps.iter().all(|step| !step.destroys) && Duration::from_mins(1) < plan.steps[0].takes);
    let loses =
        format!("{SHOP}restart_keeps_session = false\n[target.shop.remedy.restart]\nallow_destructive = true\n{hook}");
    assert!(read(&loses).policy.targets["shop"].plans[&Remedy::Restart].steps[0].destroys);
}

#[test]
fn every_mistake_is_told_with_what_to_do() {
    let told = |hook: &str| refused(&format!("{SHOP}{RESET}{hook}"));
    let cases = [
        ("", "session_dir: is missing"),
        ("session_dir = \"session\"\n", "is not a whole path"),
        ("session_dir = \"/a/../b\"\n", "is not a whole path"),
        ("session_dir = \"/session\"\nentries = []\n", "has 0 names"),
        ("session_dir = \"/session\"\nentries = [\"*\"]\n", "is not the name of an entry"),
        ("session_dir = \"/session\"\nentries = [\"../x\"]\n", "is not the name of an entry"),
        ("session_dir = \"/session\"\nkeep = { runs = 0 }\n", "keep.runs"),
        ("session_dir = \"/session\"\nendpoint = \"proxy:2375\"\n", "is not the address of a Docker daemon"),
        (
            "session_dir = \"/session\"\nendpoint = \"tcp://user:pass@proxy:2375\"\n",
            "is not the address of a Docker daemon",
        ),
        ("session_dir = \"/session\"\nstop_signal = \"kill -9\"\n", "is not a signal"),
        ("session_dir = \"/session\"\nvolumes = [\"x\"]\n", "method = \"recreate\" needs it"),
        ("method = \"wipe\"\n", "is not a way to reset"),
        ("method = \"recreate\"\n", "volumes: is missing"),
        ("method = \"recreate\"\nvolumes = [\"/data\"]\n", "is not a name that Docker knows"),
        ("session_dir = \"/session\"\nallow_destructive = true\n", "write it one level up"),
    ];
    for (hook, expected) in cases {
        let told = told(hook);
        assert!(told.contains(expected), "{hook}: {told}");
    }
    let reconnect = format!("{SHOP}[target.shop.remedy.reconnect.docker]\ncontainer = \"wa\"\n");
    assert!(refused(&reconnect).contains("cannot reconnect a session"));
}
