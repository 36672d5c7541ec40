//! What became of discoveries.

use super::Scrape;
use super::rows::Rows;

pub(super) fn discovery_up(scrape: Scrape<'_>, rows: &mut Rows) {
    for (name, discovery) in &scrape.shell.discoveries {
        if let Some(up) = discovery.up {
            rows.flag(&[name], up);
        }
    }
}

pub(super) fn discovery_targets(scrape: Scrape<'_>, rows: &mut Rows) {
    for (name, discovery) in &scrape.shell.discoveries {
        rows.count(&[name], discovery.targets);
    }
}

pub(super) fn discovery_refreshes(scrape: Scrape<'_>, rows: &mut Rows) {
    for (name, discovery) in &scrape.shell.discoveries {
        for (outcome, count) in &discovery.refreshes {
            rows.count(&[name, outcome], *count);
        }
    }
}

pub(super) fn discovery_last_success(scrape: Scrape<'_>, rows: &mut Rows) {
    for (name, discovery) in &scrape.shell.discoveries {
        if let Some(at) = discovery.last_success {
            rows.put(&[name], at.secs_f64());
        }
    }
}
