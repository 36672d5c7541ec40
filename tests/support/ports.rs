//! Addresses on loopback for programs that tests start.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// Where the ports begin from which tests take theirs.
const FIRST: u32 = 20_000;
/// How many there are: from 26000 on `scripts/free-port` takes its own.
const COUNT: u32 = 6_000;

/// Returns an address that nobody uses, below the range from which the kernel hands out ports: a gateway that starts meanwhile on
/// port 0 cannot take it away.
pub(crate) fn free_address() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let is_free = |address: &SocketAddr| TcpListener::bind(address).is_ok();
    let address = || {
        let number = std::process::id().wrapping_mul(37).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        SocketAddr::from(([127, 0, 0, 1], u16::try_from(number.saturating_add(FIRST)).expect("below 26000")))
    };
    std::iter::repeat_with(address).take(6_000).find(is_free).expect("a free port")
}
