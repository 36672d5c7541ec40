//! Who looks at a page, as one request tells it.

use hyper::header::HeaderMap;

use super::super::Desk;
use super::super::sign_in::SignIn;
use super::frame::Guest;
use super::sign_in::SIGN_OUT;

/// Who sent a request. Found once, and handed on.
#[derive(Clone, Debug)]
pub(super) struct Visitor {
    /// Absent where there is no token to sign in with, or nobody did.
    pub(super) sign_in: Option<SignIn>,
}

impl Visitor {
    /// Finds who sent a request. Whether the token is still the one of the sign-in is looked at with each order.
    pub(super) fn of(desk: &Desk, headers: &HeaderMap) -> Self {
        let has_token = desk.state.token.borrow().is_some();
        Self { sign_in: has_token.then(|| desk.sign_ins.find(headers, desk.now())).flatten() }
    }

    /// Tells what a page offers.
    pub(super) fn guest(&self, desk: &Desk) -> Guest {
        match (&self.sign_in, desk.state.token.borrow().is_some(), desk.loopback_only) {
            (Some(sign_in), _, _) => Guest::In {
                who: sign_in.who.to_string(),
                form_token: desk.marks.of(SIGN_OUT, Some(sign_in)).unwrap_or_default(),
            },
            (None, true, _) => Guest::Out,
            (None, false, true) => Guest::Free,
            (None, false, false) => Guest::Barred,
        }
    }

    /// The name that is proposed for orders.
    pub(super) fn name(&self) -> String {
        self.sign_in.as_ref().map_or_else(String::new, |sign_in| sign_in.who.to_string())
    }
}
