//! A fleet that comes and goes at its vendor, and the watchdog that follows it without a restart.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use super::account::{Account, SECRET, TOKEN};
use super::{Daemon, run, text, write_config};

const POLICY: &str = "[policy]\npoll_every = \"4s\"\ntimeout = \"3s\"\n";
/// How often a target is asked.
const POLL_EVERY: Duration = Duration::from_secs(4);
/// Most memory of a watchdog of five hundred sessions, in bytes, however often it was scraped: 42 MB where nothing is optimized, 25 of them
/// the program itself.
const RSS_MAX: f64 = 64.0 * 1024.0 * 1024.0;

#[test]
fn five_hundred_sessions_come_a_hundred_go_and_thirty_are_new() {
    let directory = folder();
    let account = Account::start(1000..1500);
    let config = format!("{POLICY}{}", account.section());
    let daemon = Daemon::start(directory.path(), &config);
    daemon.wait_within(Duration::from_mins(2), "five hundred sessions, all connected", |daemon| {
        Page::of(daemon).connected.len() == 500
    });
    let before = Page::of(&daemon);
    assert_eq!(before.value("wa_watchdog_targets"), Some(500.0));
    assert_eq!(before.value("wa_watchdog_discovery_targets{discovery=\"acc\"}"), Some(500.0));
    assert_eq!(before.value("wa_watchdog_discovery_up{discovery=\"acc\"}"), Some(1.0));
    assert!(before.connected.contains("acc-shop-1000-1000"), "{:?}", before.connected.first());

    // The hundred go and the thirty come at once.
    account.forget_gaps();
    let (lists, asked, begun) = (account.lists(), account.polls(), Instant::now());
    account.change(1200..1300, 5000..5030);
    let taken = Cell::new(0);
    daemon.wait_within(Duration::from_mins(1), "the fleet as the vendor has it", |daemon| {
        taken.set(account.lists() - lists);
        let page = Page::of(daemon);
        page.targets.len() == 430 && page.value("wa_watchdog_targets") == Some(430.0)
    });
    // The refresh that was under way while it changed may have read half of it; the next one knows.
    assert!(taken.get() <= 2, "it took {} refreshes", taken.get());
    daemon.wait_within(Duration::from_mins(1), "the new ones too", |daemon| Page::of(daemon).connected.len() == 430);

    let after = Page::of(&daemon);
    let name = |id: u64| format!("acc-shop-{id}-{id}");
    assert!((1200..1300).all(|id| !after.text.contains(&name(id))), "nothing is shown of who is gone");
    assert!((5000..5030).all(|id| after.connected.contains(&name(id))));
    let stayed: Vec<u64> = (1000..1200).chain(1300..1500).collect();
    for id in &stayed {
        // A timeline that began anew would have changed its state twice, and counted from 0.
        let series = |metric: &str, rest: &str| format!("wa_watchdog_{metric}{{target=\"{}\"{rest}}}", name(*id));
        assert_eq!(after.value(&series("session_state_changes_total", ",state=\"connected\"")), Some(1.0));
        let answers = series("probes_total", ",outcome=\"answer\"");
        assert!(before.value(&answers) <= after.value(&answers), "{answers}");
    }
    assert_eq!(after.value("wa_watchdog_dropped_total{reason=\"poll_unknown_target\"}"), Some(0.0));
    assert_eq!(after.value("wa_watchdog_dropped_total{reason=\"discovery_over_max\"}"), Some(0.0));
    assert!(
        after.value("wa_watchdog_dropped_total{reason=\"poll_outdated\"}") <= Some(100.0),
        "only calls to who is gone end"
    );
    assert_eq!(after.series, after.lines, "every series stands there once");
    let resident = after.value("process_resident_memory_bytes").expect("Linux tells it");
    assert!(resident < RSS_MAX, "{resident}");
    asked_at_its_pace(&account, &asked, &stayed, begun);

    // Whatever the vendor answers in the place of its list changes nothing.
    for (line, outcome) in [("500 Oops", "bad_status"), ("401 No", "refused"), ("204 Empty", "bad_status")] {
        account.refuse(Some(line));
        let lists = account.lists();
        daemon.wait_for(line, |daemon| {
            let page = Page::of(daemon);
            lists + 1 < account.lists() && page.value("wa_watchdog_discovery_up{discovery=\"acc\"}") == Some(0.0)
        });
        let page = Page::of(&daemon);
        assert_eq!(page.targets.len(), 430, "{line}");
        let counted = format!("wa_watchdog_discovery_refreshes_total{{discovery=\"acc\",outcome=\"{outcome}\"}}");
        assert!(Some(1.0) <= page.value(&counted), "{line}");
    }
    assert_eq!(daemon.stop().0, Some(0));
    // A restart knows them at once, though the vendor still refuses.
    let daemon = Daemon::start(directory.path(), &config);
    let restarted = Page::of(&daemon);
    assert_eq!(restarted.value("wa_watchdog_targets"), Some(430.0));
    daemon.wait_within(Duration::from_mins(1), "all of them asked", |daemon| Page::of(daemon).connected.len() == 430);
    assert_eq!(daemon.stop().0, Some(0));
    assert_eq!(files_with(directory.path(), SECRET), Vec::<String>::new(), "no key of a session is kept");
}

#[test]
fn a_reload_keeps_what_was_found_and_a_section_that_is_gone_takes_it_along() {
    let directory = folder();
    let account = Account::start([7, 8]);
    // Found, and configured by hand: it is watched once, by the name that a person gave it.
    let by_hand = "[target.mine]\ndialect = \"wasender\"\nsession = 8\ntoken_file = \"pat\"\n";
    let url = account.section().split('"').nth(3).expect("its url").to_owned();
    let by_hand = format!("{by_hand}url = \"{url}\"\n");
    let config = format!("{POLICY}{}{by_hand}", account.section());
    let daemon = Daemon::start(directory.path(), &config);
    let both = ["acc-shop-7-7", "mine"].map(str::to_owned).into();
    daemon.wait_for("both sessions", |daemon| Page::of(daemon).connected == both);

    // A template that says more counts at once, whether or not the vendor answers, and what was seen stays.
    account.refuse(Some("503 Down"));
    let changed =
        format!("{config}[discover.acc.target]\nmode = \"approve\"\n[discover.acc.target.remedy.reconnect.wasender]\n");
    write_config(directory.path(), daemon.address, &changed);
    let reloaded = daemon.post("/-/reload");
    assert!(reloaded.contains("\"targets\":2"), "{reloaded}");
    daemon.wait_for("the hook", |daemon| {
        Page::of(daemon).text.contains("wa_watchdog_budget_remaining{target=\"acc-shop-7-7\",remedy=\"reconnect\"}")
    });
    let times = "wa_watchdog_session_state_changes_total{target=\"acc-shop-7-7\",state=\"connected\"}";
    assert_eq!(daemon.metric(times), Some(1.0));

    // Another token file is another account: what the old one told does not count.
    std::fs::write(directory.path().join("other"), TOKEN).expect("a file");
    write_config(directory.path(), daemon.address, &changed.replacen("\"pat\"", "\"other\"", 1));
    assert!(daemon.post("/-/reload").contains("\"targets\":1"));
    account.refuse(None);
    daemon.wait_for("it is found again", |daemon| Page::of(daemon).connected == both);

    write_config(directory.path(), daemon.address, &format!("{POLICY}{by_hand}"));
    daemon.signal("HUP");
    daemon.wait_for("one that is configured", |daemon| Page::of(daemon).targets == ["mine".to_owned()].into());
    assert!(!daemon.get("/metrics").contains("discovery=\"acc\""));
    assert_eq!(daemon.stop().0, Some(0));
}

#[test]
fn check_says_what_a_discovery_is_and_live_what_it_would_watch() {
    let directory = folder();
    let account = Account::start([7, 8]);
    let file = write_config(directory.path(), super::free_address(), &account.section());
    let file = file.display().to_string();
    let said = run(&["check", "--config", &file]);
    let told = text(&said.stdout);
    assert_eq!(said.status.code(), Some(0), "{told}");
    assert!(
        told.contains("the configuration is good: 0 targets\ndiscover.acc: wasender at http://127.0.0.1:"),
        "{told}"
    );
    assert!(told.contains(", every 5s, at most 1000 targets, named acc-…"), "{told}");

    let said = run(&["check", "--config", &file, "--live"]);
    let told = text(&said.stdout);
    assert_eq!(said.status.code(), Some(0), "{told}{}", text(&said.stderr));
    assert!(told.contains("ok  discover.acc: acc-shop-7-7: wasender at ") && told.contains(", session 7\n"), "{told}");
    let said = run(&["check", "--config", &file, "--live", "--format", "json"]);
    let told = text(&said.stdout);
    assert!(told.contains(r#""discovery":"acc","good":true"#) && told.contains(r#""session":"8""#), "{told}");
    account.refuse(Some("401 No"));
    let said = run(&["check", "--config", &file, "--live"]);
    assert_eq!(said.status.code(), Some(1));
    assert!(text(&said.stdout).contains("BAD discover.acc: it refuses us: status 401"), "{}", text(&said.stdout));
}

/// Sessions that stay are asked as before: none is left out, and none twice.
fn asked_at_its_pace(account: &Account, before: &BTreeMap<u64, super::account::Polls>, stayed: &[u64], begun: Instant) {
    let polls = account.polls();
    let most = begun.elapsed().as_secs() / POLL_EVERY.as_secs() + 2;
    for id in stayed {
        let (now, then) = (polls[id], before[id].count);
        assert!(u64::from(now.count - then) <= most, "{id} was asked {} times, {most} at most", now.count - then);
        assert!(now.longest < POLL_EVERY * 3, "{id} was not asked for {:?}", now.longest);
    }
}

/// One reading of the metrics.
struct Page {
    text: String,
    values: BTreeMap<String, f64>,
    /// Lines with a value, and different series among them.
    lines: usize,
    series: usize,
    /// Every target that is shown, and those that are connected.
    targets: BTreeSet<String>,
    connected: BTreeSet<String>,
}

impl Page {
    fn of(daemon: &Daemon) -> Self {
        let text = daemon.get("/metrics");
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned();
        let lines = body.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
        let pairs: Vec<(String, f64)> =
            lines.filter_map(|(series, value)| Some((series.to_owned(), value.parse().ok()?))).collect();
        let label = |series: &str| Some(series.split_once("target=\"")?.1.split_once('"')?.0.to_owned());
        let targets = pairs.iter().filter_map(|(series, _)| label(series)).collect();
        let is_connected = |(series, value): &&(String, f64)| {
            series.starts_with("wa_watchdog_session_state{") && series.contains("state=\"connected\"") && 0.0 < *value
        };
        let connected = pairs.iter().filter(is_connected).filter_map(|(series, _)| label(series)).collect();
        let lines = pairs.len();
        let values: BTreeMap<String, f64> = pairs.into_iter().collect();
        Self { text: body, lines, series: values.len(), values, targets, connected }
    }

    fn value(&self, series: &str) -> Option<f64> {
        self.values.get(series).copied()
    }
}

fn folder() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(directory.path().join("pat"), TOKEN).expect("a file");
    directory
}

/// The files below a folder that hold a text.
fn files_with(folder: &Path, text: &str) -> Vec<String> {
    let holds = |file: &Path| {
        let bytes = std::fs::read(file).unwrap_or_default();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    };
    let entries = std::fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path());
    entries.filter(|file| file.is_file() && holds(file)).map(|file| file.display().to_string()).collect()
}
