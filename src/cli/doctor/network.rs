//! The ways out: to WhatsApp, and to the vendor.

use std::time::Duration;

use reqwest::Url;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Patient;
use super::finding::Line;
use super::gateway::{shown, status_of};

/// How long a connection may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// Where the vendor is, for a gateway that stands between.
const VENDOR: &str = "https://www.wasenderapi.com/api";

pub(super) async fn lines(patient: &Patient<'_>) -> Vec<Line> {
    let whatsapp = &patient.args.whatsapp;
    let vendor = match patient.target.dialect.name() {
        "wasender" => Some(patient.target.url.as_str()),
        "wasender-backend" => Some(VENDOR),
        _ => None,
    };
    let vendor = vendor.and_then(|url| Url::parse(url).ok());
    let vendor = async {
        match &vendor {
            Some(vendor) => Some(answers("path to the vendor", vendor, patient).await),
            None => None,
        }
    };
    let (tcp, tls, vendor) =
        tokio::join!(connects(whatsapp), answers("path to WhatsApp (TLS)", whatsapp, patient), vendor);
    [Some(tcp), Some(tls), vendor].into_iter().flatten().collect()
}

async fn connects(url: &Url) -> Line {
    const CHECK: &str = "path to WhatsApp (TCP)";
    match connect(url).await {
        Ok(place) => Line::well(CHECK, format!("{place} takes connections")),
        Err(why) => Line::ill(CHECK, why, "see whether a firewall, a name server or a proxy is in the way"),
    }
}

/// Asks for a page that must answer, with whatever status: an answer proves the whole way.
async fn answers(check: &str, url: &Url, patient: &Patient<'_>) -> Line {
    match status_of(&patient.http, url).await {
        Ok(status) => Line::well(check, format!("{} answers {status}", shown(url))),
        Err(why) => {
            let advice =
                "see whether a firewall or a proxy that opens TLS is in the way, and whether the clock is right";
            Line::ill(check, format!("{}: {why}", shown(url)), advice)
        }
    }
}

/// Connects to the host of a URL; returns the host and the port.
pub(super) async fn connect(url: &Url) -> Result<String, String> {
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return Err("it names no host".to_owned());
    };
    let place = format!("{host}:{port}");
    match timeout(CONNECT_PATIENCE, TcpStream::connect(&place)).await {
        Ok(Ok(_stream)) => Ok(place),
        Ok(Err(error)) => Err(format!("{place} takes no connection: {error}")),
        Err(_elapsed) => Err(format!("{place} does not answer within {} s", CONNECT_PATIENCE.as_secs())),
    }
}
