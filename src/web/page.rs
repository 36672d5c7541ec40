//! The page at `/`: what waits for a person, and where everything is. It has no buttons: orders are for clients that hold the token.

use crate::engine::explain::pending;
use crate::engine::snapshot::{Snapshot, TargetView};
use crate::engine::tell::network_path;

use super::reply::{Answer, html};

/// Most targets that are named; the rest is a number.
const NAMED_MAX: usize = 100;

/// Shows the fleet in one line, what waits for a person, and a link to every route.
pub(super) fn index(snapshot: &Snapshot) -> Answer {
    html(format!(
        r#"<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>wa-watchdog</title></head>
<body>
<h1>wa-watchdog {version}</h1>
<p>{failing} of {targets} targets failing, as of {at}.</p>
{weather}{waiting}<ul>
<li><a href="/api/v1/targets">/api/v1/targets</a>: every target, its state, and what is believed of it</li>
<li>/api/v1/targets/NAME: all that is known of one target, and what was done for it</li>
<li><a href="/api/v1/incidents">/api/v1/incidents</a>: incidents, newest first; ?target=NAME, ?open=true, ?limit=N</li>
<li><a href="/api/v1/attempts">/api/v1/attempts</a>: what was done, newest first; ?target=NAME, ?limit=N</li>
<li><a href="/api/v1/status">/api/v1/status</a>: version, times, and the fleet in numbers</li>
<li><a href="/metrics">/metrics</a>: metrics for Prometheus</li>
<li><a href="/-/healthy">/-/healthy</a>: whether the watchdog's loop turns</li>
<li><a href="/-/ready">/-/ready</a>: whether the watchdog has started</li>
<li>POST /api/v1/targets/NAME/pause, resume, approve, ack, reconnect, restart, reset: orders for one target</li>
<li>POST /api/v1/pause, resume: orders for all targets</li>
<li>POST /hooks/wasender/NAME, /hooks/waha/NAME, /hooks/evolution/NAME: webhooks of a gateway about one target</li>
<li>POST /hooks/plain/NAME: what the status route of the target's gateway would answer</li>
<li>POST /api/v1/targets/NAME/activity, log: messages that passed, lines of its log</li>
<li>POST /hooks/alertmanager: alerts, shown beside the evidence</li>
<li>POST /-/reload: read the configuration anew</li>
</ul>
</body>
</html>
"#,
        version = env!("CARGO_PKG_VERSION"),
        failing = snapshot.fleet.failing,
        targets = snapshot.fleet.targets,
        at = snapshot.at,
        weather = weather(snapshot),
        waiting = waiting(snapshot),
    ))
}

fn weather(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    if let Some(pause) = &snapshot.pause {
        let until = pause.until.map_or_else(|| String::from("it is resumed"), |until| until.to_string());
        let said = format!("All targets are paused by {} until {until}: {}", pause.who, pause.reason);
        text = format!("<p>{}</p>\n", escape(&said));
    }
    if snapshot.fleet.storm {
        text.push_str("<p>A storm is on: many targets turned bad together, so nothing is done.</p>\n");
    }
    for path in snapshot.paths.iter().filter(|path| !path.up) {
        let said = network_path(&path.path, path.why.as_ref());
        text.extend(["<p>", &escape(&said), "</p>\n"]);
    }
    text
}

fn waiting(snapshot: &Snapshot) -> String {
    let waits: Vec<&TargetView> =
        snapshot.targets.iter().map(AsRef::as_ref).filter(|view| view.care.wants_person()).collect();
    if waits.is_empty() {
        return String::from("<p>Nothing waits for a person.</p>\n");
    }
    let item = |view: &&TargetView| {
        let target = &view.target;
        let mut parts: Vec<String> = pending(&view.care).into_iter().collect();
        parts.extend(view.care.unreleased().map(|proposal| {
            format!("{}: wa-watchdog approve {target} {} --reason \"…\"", proposal.cause.reason, proposal.attempt)
        }));
        parts.extend(view.care.needs_person.clone());
        let said = escape(&parts.join("; "));
        format!("<li><a href=\"/api/v1/targets/{target}\">{target}</a>: {said}</li>\n")
    };
    let named: String = waits.iter().take(NAMED_MAX).map(item).collect();
    let more = match waits.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!("<li>and {more} more</li>\n"),
    };
    format!("<h2>Waits for a person</h2>\n<ul>\n{named}{more}</ul>\n")
}

/// Makes a text safe within an element and within quotes: reasons and evidence hold what people and gateways wrote.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_wrote_is_text_and_nothing_else() {
        assert_eq!(escape("<b title='x' id=\"y\">&"), "&lt;b title=&#39;x&#39; id=&quot;y&quot;&gt;&amp;");
    }
}
