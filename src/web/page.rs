//! The page at `/`: where everything is.

use crate::engine::snapshot::Snapshot;

use super::reply::{Answer, html};

/// Shows the fleet in one line and a link to every route. Holds numbers and its own words only, so nothing needs escaping.
pub(super) fn index(snapshot: &Snapshot) -> Answer {
    html(format!(
        r#"<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>wa-watchdog</title></head>
<body>
<h1>wa-watchdog {version}</h1>
<p>{failing} of {targets} targets failing, as of {at}.</p>
<ul>
<li><a href="/api/v1/targets">/api/v1/targets</a>: every target, its state, and what is believed of it</li>
<li>/api/v1/targets/NAME: all that is known of one target</li>
<li><a href="/api/v1/incidents">/api/v1/incidents</a>: incidents, newest first; ?target=NAME, ?open=true, ?limit=N</li>
<li><a href="/api/v1/status">/api/v1/status</a>: version, times, and the fleet in numbers</li>
<li><a href="/metrics">/metrics</a>: metrics for Prometheus</li>
<li><a href="/-/healthy">/-/healthy</a>: whether the watchdog's loop turns</li>
<li><a href="/-/ready">/-/ready</a>: whether the watchdog has started</li>
<li>POST /-/reload: read the configuration anew</li>
</ul>
</body>
</html>
"#,
        version = env!("CARGO_PKG_VERSION"),
        failing = snapshot.fleet.failing,
        targets = snapshot.fleet.targets,
        at = snapshot.at,
    ))
}
