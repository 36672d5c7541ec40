//! Certificates of an operator's own.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};
use wa_watchdog::config::{HttpCall, Retry};
use wa_watchdog::engine::attempt::{Act, StepOutcome};
use wa_watchdog::http::install_tls;

use crate::{Bench, assert_end, post};

/// For localhost, valid until 2120; its key is no secret and stands beside it.
const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/polling/certificate.pem");
const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/polling/key.der");

#[tokio::test]
async fn an_operators_certificate_is_trusted_where_it_is_named() {
    let url = https_server();
    let retry = Retry { only_unsent: false, tries_max: 1 };
    let call = |ca_file: Option<PathBuf>| HttpCall { ca_file, retry, ..post(url.clone()) };
    let trusted = Bench::http(call(Some(CERTIFICATE.into()))).act(Act::Do).await;
    assert_end(&trusted, StepOutcome::Done, "");
    // Who is not trusted is told nothing.
    assert_end(&Bench::http(call(None)).act(Act::Do).await, StepOutcome::Failed, "it was not sent");
}

#[tokio::test]
async fn a_bad_file_of_certificates_is_told_when_it_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    fs::write(&empty, "").unwrap();
    for (file, note) in [(empty, "holds none"), (folder.path().join("none.pem"), "cannot be read")] {
        let call = HttpCall { ca_file: Some(file), ..post("https://localhost:1/".to_owned()) };
        assert_end(&Bench::http(call).act(Act::Do).await, StepOutcome::Failed, note);
    }
}

/// Starts a server behind TLS that answers 200 to everything; returns its URL. It ends with the process.
fn https_server() -> String {
    install_tls();
    let certificate = CertificateDer::from_pem_file(CERTIFICATE).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(fs::read(KEY).unwrap()));
    let config = ServerConfig::builder().with_no_client_auth();
    let config = Arc::new(config.with_single_cert(vec![certificate], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut session = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = stream.unwrap();
            let mut stream = Stream::new(&mut session, &mut stream);
            // A client that does not trust us is gone by now.
            if stream.read(&mut [0; 8192]).is_ok() {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
            }
        }
    });
    format!("https://localhost:{port}/")
}
