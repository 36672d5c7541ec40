//! What an answer of Coolify that is no success means, for a person.

use crate::remedy::rest::Said;

/// Begins the message that names the abilities that a token lacks.
const LACKS: &str = "Missing required permissions:";

/// Says what it means. Judged by the status: beside some refusals the body says `"success": true`.
pub(super) fn note(said: &Said, what: &str) -> String {
    let message = said.message.as_str();
    match said.status {
        300..400 => "answered with a redirect: write the URL that it leads to, https it may be".to_owned(),
        400 if message.contains("Invalid token") => {
            "the token belongs to no team: make a new one in Coolify under Keys & Tokens".to_owned()
        }
        401 => "Coolify does not know the token: make a new one under Keys & Tokens".to_owned(),
        403 => forbidden(message, what),
        404 if said.body.get("docs").is_some() => {
            "Coolify does not know this path: its version is too old, or the URL is not that of Coolify".to_owned()
        }
        404 => format!("not found: check uuid and resource ({message})"),
        405 => "answered 405: the POST did not arrive as one; is the URL http where it should be https?".to_owned(),
        422 if message.contains("read-only") => {
            "the volume is read-only here: its name stands in a compose file, change it there".to_owned()
        }
        429 => "Coolify is asked too often, and was still too busy after some pauses".to_owned(),
        status if message.is_empty() => format!("{what} answered {status}"),
        status => format!("{what} answered {status}: {message}"),
    }
}

fn forbidden(message: &str, what: &str) -> String {
    if let Some(abilities) = message.strip_prefix(LACKS) {
        return format!("the token lacks the ability {}: tick it under Keys & Tokens", abilities.trim());
    }
    if message.contains("disabled") {
        return "the API is disabled: enable it in Coolify's settings".to_owned();
    }
    if message.contains("not allowed to access") {
        return "Coolify does not allow this address: add it to the allowed IPs of its API".to_owned();
    }
    format!("Coolify forbids to {what}: {message}")
}
