//! Headers of HTTP.

use crate::value::{Reader, is_no_secret, is_placeholder};
use crate::{CREDENTIALS, Fault, IsLiteral, base64, literal};

/// Adds what a header gives away: a literal under a name that says so, credentials, a token.
pub fn expose(name: &str, value: &str, is_literal: &IsLiteral<'_>, faults: &mut Vec<Fault>) {
    let (name, value) = (name.trim(), value.trim());
    let is_secret = if is_authorization(name) {
        // A scheme and what belongs to it, or what some servers take alone (RFC 9110, section 11.4).
        let (scheme, credentials) = value.split_once(' ').unwrap_or(("", value));
        !is_scheme(credentials, "bearer") && !is_scheme(scheme, "basic") && !is_no_secret(credentials, Reader::Shell)
    } else {
        is_literal(name, value, Reader::Shell)
    };
    if is_secret {
        faults.push(literal("is a literal"));
    }
    if is_basic(value) {
        faults.push((&CREDENTIALS, "holds a user and a password".to_owned()));
    }
    crate::expose(value, Reader::Shell, faults);
}

/// Whether a value is `Basic` with a user and a password (RFC 7617).
fn is_basic(value: &str) -> bool {
    value.split_once(' ').is_some_and(|(scheme, rest)| is_scheme(scheme, "basic") && holds_password(rest.trim()))
}

fn is_scheme(text: &str, scheme: &str) -> bool {
    text.eq_ignore_ascii_case(scheme)
}

/// Whether a text is base64 of `user:password`.
pub fn holds_password(text: &str) -> bool {
    base64::decode_text(text).is_some_and(|text| {
        text.split_once(':').is_some_and(|(_, password)| {
            !password.is_empty()
                && !is_placeholder(password, Reader::Shell)
                && !password.bytes().any(|byte| byte.is_ascii_control())
        })
    })
}

fn is_authorization(name: &str) -> bool {
    ["authorization", "proxy-authorization"].iter().any(|known| name.eq_ignore_ascii_case(known))
}
