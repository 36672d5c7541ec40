//! TLS that cannot be trusted, and TLS that can.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};
use wa_watchdog::engine::sample::Failure;
use wa_watchdog::http::install_tls;

use crate::server::{Act, CONNECTED, Server, http};
use crate::{failure, shop};

/// A certificate for localhost that nobody else trusts, valid until 2120. Its key is no secret: it stands beside it.
pub(crate) const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/polling/certificate.pem");

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_a_failure() {
    assert_eq!(failure(shop(&https_server())).await, Failure::Tls);
}

#[tokio::test]
async fn a_server_without_tls_is_a_failure() {
    for act in [Act::Last(http("400 Bad Request", &[], "")), Act::Close] {
        let server = Server::always(act).await;
        assert_eq!(failure(shop(&server.url.replace("http:", "https:"))).await, Failure::Tls);
    }
}

/// Starts a session service behind TLS; returns its URL. It ends with the process.
pub(crate) fn https_server() -> String {
    install_tls();
    let certificate = CertificateDer::from_pem_file(CERTIFICATE).unwrap();
    let key = PrivatePkcs8KeyDer::from(include_bytes!("key.der").to_vec());
    let config = ServerConfig::builder().with_no_client_auth();
    let config = Arc::new(config.with_single_cert(vec![certificate], PrivateKeyDer::from(key)).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut session = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = stream.unwrap();
            let mut stream = Stream::new(&mut session, &mut stream);
            // A client that does not trust us is gone by now.
            if stream.read(&mut [0; 4096]).is_ok() {
                stream.write_all(http("200 OK", &[], CONNECTED).as_bytes()).unwrap();
            }
        }
    });
    url
}
