//! Which ciphers of an OpenSSL list are broken.
//!
//! The list is read as <https://docs.openssl.org/master/man1/openssl-ciphers/#cipher-list-format> says: `!` takes ciphers
//! away for good, `-` until they are added again, `+` in front moves them, and `+` between names means both.

/// What no cipher may be made of: broken or export algorithms, none at all, or nobody's certificate.
const BROKEN: &[&str] = &["3DES", "DES", "EXP", "LOW", "MD5", "NULL", "RC2", "RC4", "aNULL"];

/// How many are named in a message.
const MOST_NAMED: usize = 5;

/// The entries of a list that add broken ciphers.
pub fn broken(list: &str) -> Vec<&str> {
    let entries = || list.split([':', ',', ' ']).filter(|entry| !entry.is_empty());
    let excluded = entries().filter_map(|entry| entry.strip_prefix(['!', '-'])).fold(0, |all, of| all | algorithms(of));
    let is_broken = |entry: &&str| {
        let algorithms = if entry.starts_with(['!', '-', '+', '@']) { 0 } else { algorithms(entry) };
        algorithms != 0 && algorithms & excluded == 0
    };
    entries().filter(is_broken).take(MOST_NAMED).collect()
}

/// The broken algorithms that an entry is made of, a bit for each.
fn algorithms(entry: &str) -> u16 {
    let is_triple = entry.contains("DES-CBC3");
    entry.split(['+', '-']).fold(0, |all, part| {
        let name = match part {
            // The suites of triple DES are named after its mode.
            "DES" if is_triple => "3DES",
            "EXP1024" | "EXPORT" | "EXPORT40" | "EXPORT56" => "EXP",
            "ADH" | "AECDH" => "aNULL",
            "eNULL" => "NULL",
            other => other,
        };
        all | BROKEN.iter().position(|broken| *broken == name).map_or(0, |bit| 1 << bit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_added_and_not_taken_away_is_broken() {
        for (list, expected) in [
            ("HIGH:!aNULL:!MD5", &[][..]),
            ("ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305", &[]),
            ("ALL:!ADH:RC4+RSA:+HIGH:+LOW:+EXP", &["RC4+RSA"]),
            ("ECDHE-RSA-AES128-SHA:EDH-RSA-DES-CBC3-SHA:DES-CBC3-SHA:!DSS", &["EDH-RSA-DES-CBC3-SHA", "DES-CBC3-SHA"]),
            ("ECDH+3DES:DH+3DES:!aNULL:!MD5:!DSS", &["ECDH+3DES", "DH+3DES"]),
            ("DES-CBC3-SHA:!3DES", &[]),
            ("DES-CBC3-SHA:!DES", &["DES-CBC3-SHA"]),
            ("RC4-SHA:AES128-SHA:!RC4", &[]),
            ("NULL-MD5,aNULL eNULL", &["NULL-MD5", "aNULL", "eNULL"]),
            ("kEDH+AESGCM:AES:CAMELLIA:@SECLEVEL=2", &[]),
        ] {
            assert_eq!(broken(list), expected, "{list}");
        }
    }
}
