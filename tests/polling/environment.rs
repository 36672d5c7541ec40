//! What the environment may change, and what it may not. Each of these tests runs its body in a process of its own.

use std::env;
use std::process::Command;

use wa_watchdog::engine::sample::{Failure, SessionState};
use wa_watchdog::http::Http;

use crate::server::{CONNECTED, Server, ok};
use crate::tls::{CERTIFICATE, https_server};
use crate::{failure, poll, shop, state};

/// Set in the child.
const CHILD: &str = "WA_WATCHDOG_TEST_CHILD";

#[test]
fn tls_works_with_a_certificate_that_the_environment_names() {
    in_its_own_process(
        "tls_works_with_a_certificate_that_the_environment_names",
        &[("SSL_CERT_FILE", CERTIFICATE)],
        async {
            assert!(Http::new().unwrap().no_roots().is_none());
            assert_eq!(state(&poll(shop(&https_server())).await), SessionState::Connected);
        },
    );
}

#[test]
fn without_ca_certificates_plain_http_works_and_tls_says_what_to_do() {
    let nowhere = [("SSL_CERT_FILE", "/nowhere/ca.pem"), ("SSL_CERT_DIR", "/nowhere")];
    in_its_own_process("without_ca_certificates_plain_http_works_and_tls_says_what_to_do", &nowhere, async {
        let http = Http::new().unwrap();
        assert!(http.no_roots().unwrap().to_string().contains("install the package ca-certificates"));
        let server = Server::always(ok(CONNECTED)).await;
        assert_eq!(state(&poll(shop(&server.url)).await), SessionState::Connected);
        assert_eq!(failure(shop(&https_server())).await, Failure::Tls);
    });
}

#[test]
fn a_proxy_in_the_environment_is_not_asked() {
    let nobody = "http://127.0.0.1:9";
    let proxies = [("HTTP_PROXY", nobody), ("http_proxy", nobody), ("ALL_PROXY", nobody), ("all_proxy", nobody)];
    in_its_own_process("a_proxy_in_the_environment_is_not_asked", &proxies, async {
        let server = Server::always(ok(CONNECTED)).await;
        assert_eq!(state(&poll(shop(&server.url)).await), SessionState::Connected);
    });
}

/// Runs the body in a child of this test, with this environment. `name` is the test's own.
fn in_its_own_process(name: &str, environment: &[(&str, &str)], body: impl Future<Output = ()>) {
    if env::var_os(CHILD).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        return runtime.block_on(body);
    }
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", &format!("environment::{name}"), "--nocapture"]).env(CHILD, "1").envs(environment.to_vec());
    let output = child.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}
