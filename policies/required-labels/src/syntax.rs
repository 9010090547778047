//! What the API server accepts as a key and as a label's value, so that settings ask for nothing that cannot be
//! (<https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set>).

/// What is wrong with a key: a name, after a DNS domain and a slash or alone. Of annotations "case doesn't matter"
/// (`ValidateAnnotations` in <https://github.com/kubernetes/apimachinery/blob/master/pkg/api/validation/objectmeta.go>).
pub fn key_fault(key: &str, of_label: bool) -> Option<&'static str> {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    if !is_name(name) {
        return Some(
            "expected a name of at most 63 letters, digits, \"-\", \"_\" and \".\", after a prefix and \"/\" or alone",
        );
    }
    if prefix.is_some_and(|prefix| !is_domain(prefix, of_label)) {
        return Some("expected a domain in lower case before the \"/\", such as app.kubernetes.io");
    }
    None
}

/// Whether a label can have this value.
pub fn is_value(value: &str) -> bool {
    value.is_empty() || is_name(value)
}

fn is_name(name: &str) -> bool {
    name.len() <= 63
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.ends_with(|last: char| last.is_ascii_alphanumeric())
}

fn is_domain(domain: &str, is_lower: bool) -> bool {
    let is_label = |label: &str| {
        label
            .bytes()
            .all(|byte| byte == b'-' || byte.is_ascii_alphanumeric() && !(is_lower && byte.is_ascii_uppercase()))
            && label.starts_with(|first| first != '-')
            && label.ends_with(|last| last != '-')
    };
    domain.len() <= 253 && domain.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        for key in ["app", "App_2.x", "app.kubernetes.io/name", "a-b.c/x", "0"] {
            assert_eq!(key_fault(key, true), None, "{key}");
        }
        let long = "a".repeat(64);
        for key in ["", "a b", "-a", "a-", "/a", "a/", "a/b/c", "Example.com/a", "a..b/c", "-a.b/c", "a-/c", "é", &long]
        {
            assert!(key_fault(key, true).is_some(), "{key}");
        }
    }

    #[test]
    fn values() {
        assert!(["", "a", "v2.1.0", "A_b-c"].into_iter().all(is_value));
        assert!(!["a b", ".a", "a.", "é", "a/b"].into_iter().any(is_value));
    }
}
