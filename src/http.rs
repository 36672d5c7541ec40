//! The one way to speak HTTP: no redirects, no proxies, names looked up within a limit, bodies read to a limit.

mod broken;
pub mod jwt;
mod lookup;
pub mod message;
pub mod retry;
pub mod sign;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Certificate, Client, ClientBuilder, Method, Request, Response, Url, redirect};

pub use self::broken::{NoReply, Unanswered};
use self::lookup::Lookups;

/// Longest time for which an unused connection is kept. Node closes its end after 5 s (`server.keepAliveTimeout`), so a longer
/// one would meet connections that are just being closed.
pub const IDLE_MAX: Duration = Duration::from_secs(4);

/// Most unused connections that are kept to one host.
pub const IDLE_PER_HOST_MAX: usize = 16;

/// Longest time to make a connection for a request that may change something: what was not connected by then was not sent.
pub const CONNECT_MAX: Duration = Duration::from_secs(3);

/// Longest file of CA certificates, in bytes.
const CA_FILE_BYTES_MAX: u64 = 4 << 20;

/// The HTTP client of the whole program. Cheap to clone.
///
/// A GET goes out on a kept-alive connection if there is one. Where that turns out to be broken, the request is sent once more,
/// on a connection of its own: the server may have closed the first one at the very moment, which says nothing about it. Broken
/// twice is broken.
///
/// Everything else goes out once, on a connection of its own, so that a failure to connect is proof that it was not sent.
///
/// Nothing is taken from the environment but the place of the CA certificates (`SSL_CERT_FILE`, `SSL_CERT_DIR`).
#[derive(Clone, Debug)]
pub struct Http {
    kept: Client,
    fresh: Client,
    once: Client,
    lookups: Arc<Lookups>,
    no_roots: Option<Arc<NoRoots>>,
}

/// Says that no HTTP client can be made.
#[derive(Debug, thiserror::Error)]
#[error("no HTTP client can be made")]
pub struct Unbuildable(#[source] reqwest::Error);

/// Says that the machine has no CA certificates: `http://` works, every `https://` call fails as a failure of TLS.
///
/// reqwest 0.13 builds no client at all without them (issue 2988), not even for plain HTTP.
#[derive(Debug, thiserror::Error)]
#[error(
    "no CA certificates found, so every https:// call will fail; install the package ca-certificates, or name a PEM file in \
     SSL_CERT_FILE"
)]
pub struct NoRoots(#[source] reqwest::Error);

/// Says that a file of CA certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadCaFile {
    /// It cannot be read.
    #[error("the file of CA certificates cannot be read")]
    Unreadable(#[source] std::io::Error),
    /// It is too long to be one.
    #[error("the file of CA certificates is longer than {CA_FILE_BYTES_MAX} bytes")]
    TooLong,
    /// It holds no certificate.
    #[error("the file of CA certificates holds none in PEM")]
    Empty,
    /// Its certificates cannot be used.
    #[error("the file of CA certificates cannot be used")]
    Unusable(#[source] reqwest::Error),
}

/// Says that a body was not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// It is longer than the limit; holds what came until then, cut to the limit.
    #[error("the body is longer than the limit")]
    TooLarge(Vec<u8>),
    /// It broke off.
    #[error("the body broke off")]
    Broken(#[source] NoReply),
}

/// Makes `ring` the provider of TLS. Goes before everything that may speak TLS; a second call changes nothing.
pub fn install_tls() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // It fails only if another thread was first, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
    }
}

impl Http {
    /// Makes the client, with the CA certificates of the system where it has any.
    pub fn new() -> Result<Self, Unbuildable> {
        install_tls();
        let lookups = Arc::new(Lookups::default());
        match Self::with(&lookups, &Roots::System) {
            Ok(http) => Ok(http),
            Err(error) => {
                let no_roots = Some(Arc::new(NoRoots(error)));
                Self::with(&lookups, &Roots::None).map(|http| Self { no_roots, ..http }).map_err(Unbuildable)
            }
        }
    }

    /// Makes a client that trusts the certificates in a PEM file besides those of the system.
    pub fn trusting(&self, ca_file: &Path) -> Result<Self, BadCaFile> {
        let certificates = certificates(ca_file)?;
        let roots = if self.no_roots.is_some() { Roots::Only(certificates) } else { Roots::SystemAnd(certificates) };
        Self::with(&self.lookups, &roots).map_err(BadCaFile::Unusable)
    }

    /// Makes a client whose every call goes to a socket of this machine, whatever host its URL names.
    #[cfg(unix)]
    pub fn over_socket(path: &Path) -> Result<Self, Unbuildable> {
        install_tls();
        let lookups = Arc::new(Lookups::default());
        let over = |builder: ClientBuilder| builder.unix_socket(path).build().map_err(Unbuildable);
        let kept = over(client(&lookups, &Roots::None).pool_max_idle_per_host(IDLE_PER_HOST_MAX))?;
        let fresh = over(client(&lookups, &Roots::None).pool_max_idle_per_host(0))?;
        let once = over(client(&lookups, &Roots::None).pool_max_idle_per_host(0).connect_timeout(CONNECT_MAX))?;
        Ok(Self { kept, fresh, once, lookups, no_roots: None })
    }

    /// Returns what to tell the operator of `https://` targets, if there are no CA certificates.
    #[must_use]
    pub fn no_roots(&self) -> Option<&NoRoots> {
        self.no_roots.as_deref()
    }

    /// Sends a GET and returns the head of its answer, of whatever status. Has no time limit of its own.
    pub async fn get(&self, url: &Url, headers: &HeaderMap) -> Result<Response, NoReply> {
        match self.kept.execute(get(url, headers)).await {
            Ok(response) => Ok(response),
            Err(error) if broken::may_be_stale(&error) => {
                self.fresh.execute(get(url, headers)).await.map_err(|error| NoReply::of(&error))
            }
            Err(error) => Err(NoReply::of(&error)),
        }
    }

    /// Sends a request once and returns the head of its answer, of whatever status. Has no time limit of its own but
    /// [`CONNECT_MAX`].
    pub async fn send(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Response, Unanswered> {
        let mut request = Request::new(method, url.clone());
        *request.headers_mut() = headers;
        if !body.is_empty() {
            *request.body_mut() = Some(body.into());
        }
        self.once.execute(request).await.map_err(|error| Unanswered::of(&error))
    }

    fn with(lookups: &Arc<Lookups>, roots: &Roots) -> Result<Self, reqwest::Error> {
        let kept = client(lookups, roots).pool_max_idle_per_host(IDLE_PER_HOST_MAX).build()?;
        let fresh = client(lookups, roots).pool_max_idle_per_host(0).build()?;
        let once = client(lookups, roots).pool_max_idle_per_host(0).connect_timeout(CONNECT_MAX).build()?;
        Ok(Self { kept, fresh, once, lookups: Arc::clone(lookups), no_roots: None })
    }
}

/// Reads a body and stops at the limit, whatever its `Content-Length` says.
pub async fn read_capped(mut response: Response, bytes_max: usize) -> Result<Vec<u8>, Unread> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| Unread::Broken(NoReply::of(&error)))? {
        let room = bytes_max.saturating_sub(body.len());
        body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        if room < chunk.len() {
            return Err(Unread::TooLarge(body));
        }
    }
    Ok(body)
}

fn get(url: &Url, headers: &HeaderMap) -> Request {
    let mut request = Request::new(Method::GET, url.clone());
    request.headers_mut().clone_from(headers);
    request
}

fn certificates(ca_file: &Path) -> Result<Vec<Certificate>, BadCaFile> {
    let length = ca_file.metadata().map_err(BadCaFile::Unreadable)?.len();
    if CA_FILE_BYTES_MAX < length {
        return Err(BadCaFile::TooLong);
    }
    let pem = std::fs::read(ca_file).map_err(BadCaFile::Unreadable)?;
    let certificates = Certificate::from_pem_bundle(&pem).map_err(BadCaFile::Unusable)?;
    if certificates.is_empty() { Err(BadCaFile::Empty) } else { Ok(certificates) }
}

enum Roots {
    System,
    SystemAnd(Vec<Certificate>),
    Only(Vec<Certificate>),
    None,
}

fn client(lookups: &Arc<Lookups>, roots: &Roots) -> ClientBuilder {
    let builder = Client::builder()
        .user_agent(USER_AGENT)
        .no_proxy()
        .redirect(redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .dns_resolver(Arc::clone(lookups))
        .pool_idle_timeout(IDLE_MAX);
    match roots {
        Roots::System => builder,
        Roots::SystemAnd(certificates) => builder.tls_certs_merge(certificates.iter().cloned()),
        Roots::Only(certificates) => builder.tls_certs_only(certificates.iter().cloned()),
        Roots::None => builder.tls_certs_only([]),
    }
}

const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
