//! Image references, such as `redis:7` and `ghcr.io/acme/api@sha256:…`, read as Docker and the container runtimes read
//! them.
//!
//! The grammar is that of `regexp.go` and `reference.go`, and the normal form that of `ParseNormalizedNamed` in
//! `normalize.go`, all in github.com/distribution/reference v0.6.0. Digests follow `Digest.Validate` in
//! github.com/opencontainers/go-digest v1.0.0. The kubelet reads the `image` field with the same library
//! (`pkg/util/parsers/parsers.go` of kubernetes/kubernetes).

use std::borrow::Cow;
use std::fmt;

/// Where Docker looks for an image whose reference names no registry: `defaultDomain` in `normalize.go`.
const DEFAULT_DOMAIN: &str = "docker.io";

/// An old name of [`DEFAULT_DOMAIN`]: `legacyDefaultDomain` in `normalize.go`.
const LEGACY_DOMAIN: &str = "index.docker.io";

/// Where Docker Hub keeps the images that belong to no account: `officialRepoPrefix` in `normalize.go`.
const OFFICIAL: &str = "library/";

/// `RepositoryNameTotalLengthMax` in `reference.go`.
const MAX_PATH: usize = 255;

/// The `tag` pattern in `regexp.go`.
const MAX_TAG: usize = 128;

/// No reference is longer: 253 characters of a host name (RFC 1123), 6 of a port, a slash, 255 of a path, 129 of a tag, 136
/// of a digest.
const LONGEST: usize = 253 + 6 + 1 + 255 + 129 + 136;

/// Takes apart what an object has for an image.
///
/// # Errors
///
/// Where no runtime can pull it, for people: there is none, or why it is not valid.
pub fn read(text: &str) -> Result<Reference<'_>, String> {
    let invalid = match Reference::parse(text) {
        Ok(reference) if text.len() <= LONGEST => return Ok(reference),
        Ok(_) => "it is too long".to_owned(),
        Err(ReferenceError::Empty) => {
            return Err("there is no image, expected one such as registry.example/app:1.2.3".to_owned());
        }
        Err(error) => error.to_string(),
    };
    Err(format!("image {} is not valid: {invalid}", quoted(text)))
}

/// A text for a message: it may hold anything, and be of any length.
#[must_use]
pub fn quoted(text: &str) -> String {
    const SHOWN: usize = 100;
    let shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() { format!("{shown:?} and so on") } else { format!("{shown:?}") }
}

/// A reference to an image, taken apart. It borrows the text it was read from.
///
/// There is no default tag: [`tag`](Self::tag) is `None` unless one is written, even though a runtime that is given
/// neither a tag nor a digest pulls `latest`.
#[derive(Clone, Copy, Debug)]
pub struct Reference<'a> {
    domain: &'a str,
    /// What follows the registry, as written.
    path: &'a str,
    /// Registry and path as written, when that is the normal form already.
    normal: Option<&'a str>,
    /// Whether the normal form has [`OFFICIAL`] before the path.
    official: bool,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

impl<'a> Reference<'a> {
    /// Takes a reference apart.
    ///
    /// What comes before the first slash is the registry if it holds a dot, a colon or an uppercase letter, or is
    /// `localhost`. Otherwise it is a part of the repository, and the registry is Docker Hub: `acme/api` is
    /// `docker.io/acme/api`. Without any slash there is no registry: `localhost:5000` is the tag `5000` of
    /// `docker.io/library/localhost`.
    ///
    /// # Errors
    ///
    /// [`ReferenceError`] for every text that Docker refuses, and for no other.
    pub fn parse(text: &'a str) -> Result<Self, ReferenceError> {
        if text.is_empty() {
            return Err(ReferenceError::Empty);
        }
        if text.len() == 64 && is_lower_hex(text) {
            return Err(ReferenceError::Identifier);
        }
        if text.as_bytes().windows(3).any(|window| window == b"://") {
            return Err(ReferenceError::Scheme);
        }
        let (written_domain, remainder) = match text.split_once('/') {
            Some((first, rest)) if looks_like_domain(first) => (Some(first), rest),
            _ => (None, text),
        };
        let (tagged, digest) = split(remainder, '@');
        let (path, tag) = split(tagged, ':');
        let domain = match written_domain {
            None | Some(LEGACY_DOMAIN) => DEFAULT_DOMAIN,
            Some(domain) => domain,
        };
        let official = domain == DEFAULT_DOMAIN && !path.contains('/');

        let mut length = path.len();
        if official {
            length += OFFICIAL.len();
        }
        if !is_domain(domain) {
            // A host with an underscore, as in `my_registry.example/app`, is no domain to the library, yet it accepts the
            // text: it takes the host for one more part of the repository and reports no domain at all. The runtimes pull
            // from that host, so here it is the domain.
            if !is_path_component(domain) {
                return Err(ReferenceError::Domain);
            }
            length += domain.len() + 1;
        }
        if path.is_empty() {
            return Err(ReferenceError::NoName);
        }
        if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(ReferenceError::Uppercase);
        }
        if !is_path(path) {
            return Err(ReferenceError::Name);
        }
        if length > MAX_PATH {
            return Err(ReferenceError::NameTooLong);
        }
        if let Some(tag) = tag {
            check_tag(tag)?;
        }
        if let Some(digest) = digest {
            check_digest(digest)?;
        }
        let normal = match written_domain {
            Some(written) if written == domain && !official => text.get(..written.len() + 1 + path.len()),
            _ => None,
        };
        Ok(Self { domain, path, normal, official, tag, digest })
    }

    /// The registry: a host name or an address, with its port if one is written.
    ///
    /// It is `docker.io` when the reference names none or names `index.docker.io`. Any other is as written, as it is with
    /// Docker: neither its case nor a port is normalised, so that `GHCR.io`, `ghcr.io` and `ghcr.io:443` differ although
    /// they lead to one registry. A list of what is allowed is safe from that; a list of what is forbidden is not.
    #[must_use]
    pub fn domain(&self) -> &'a str {
        self.domain
    }

    /// The full name in normal form, without tag and digest: registry, slash, path.
    ///
    /// An image of Docker Hub that belongs to no account is under `library`: `redis` is `docker.io/library/redis`. It is
    /// borrowed when it stands in the text as it is.
    #[must_use]
    pub fn repository(&self) -> Cow<'a, str> {
        if let Some(normal) = self.normal {
            return Cow::Borrowed(normal);
        }
        let official = if self.official { OFFICIAL } else { "" };
        Cow::Owned([self.domain, "/", official, self.path].concat())
    }

    /// The tag, without its colon. `None` when none is written.
    #[must_use]
    pub fn tag(&self) -> Option<&'a str> {
        self.tag
    }

    /// The digest with its algorithm, such as `sha256:` and 64 hexadecimal digits. `None` when none is written.
    ///
    /// With both a tag and a digest, the digest alone decides which image is pulled.
    #[must_use]
    pub fn digest(&self) -> Option<&'a str> {
        self.digest
    }
}

/// Why a text is no image [`Reference`].
///
/// Its text is for people, completes a sentence such as “the image is not valid: …”, and repeats nothing of what was
/// refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReferenceError {
    /// The text is empty.
    Empty,
    /// The text is 64 hexadecimal digits, which stand for the ID of an image on one machine and not for a repository.
    Identifier,
    /// The text is a URL. A reference names its registry without `https://`.
    Scheme,
    /// What stands where the registry should be is neither a host name nor an address.
    Domain,
    /// There is no repository name.
    NoName,
    /// The repository name has an uppercase letter.
    Uppercase,
    /// The repository name has a character that it may not have, or has one where it may not be.
    Name,
    /// The repository name has more than 255 characters, the registry not counted.
    NameTooLong,
    /// The tag is empty, or has a character that it may not have.
    Tag,
    /// The tag has more than 128 characters.
    TagTooLong,
    /// The digest is not an algorithm, a colon and lowercase hexadecimal digits.
    Digest,
    /// The algorithm of the digest is none of those that Docker knows.
    DigestAlgorithm,
    /// The digest has too many or too few digits for its algorithm.
    DigestLength {
        /// The algorithm.
        algorithm: &'static str,
        /// How many digits it takes.
        digits: usize,
    },
}

impl fmt::Display for ReferenceError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Empty => "it is empty",
            Self::Identifier => "it is an image ID, and a repository name is needed",
            Self::Scheme => "it must not have a scheme such as https://",
            Self::Domain => "the registry is not a valid host name or address",
            Self::NoName => "it has no repository name",
            Self::Uppercase => "the repository name must be lowercase",
            Self::Name => {
                "the repository name may have only letters and digits, with single separators such as . _ - / between them"
            }
            Self::NameTooLong => "the repository name has more than 255 characters",
            Self::Tag => {
                "the tag must be letters, digits and the characters _ . - and must not begin with . or -"
            }
            Self::TagTooLong => "the tag has more than 128 characters",
            Self::Digest => {
                "the digest must be an algorithm, a colon and lowercase hexadecimal digits"
            }
            Self::DigestAlgorithm => "the digest must be sha256, sha384 or sha512",
            Self::DigestLength { algorithm, digits } => {
                return write!(
                    formatter,
                    "{algorithm} digest must have {digits} hexadecimal digits"
                );
            }
        })
    }
}

impl std::error::Error for ReferenceError {}

/// `text` up to the first `separator`, and what follows it if there is one.
fn split(text: &str, separator: char) -> (&str, Option<&str>) {
    match text.split_once(separator) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

/// Whether what precedes the first slash names a registry: `splitDockerDomain` in `normalize.go`.
///
/// Letters beyond ASCII do not count as uppercase here. Either way such a text is refused.
fn looks_like_domain(first: &str) -> bool {
    first == "localhost" || first.bytes().any(|byte| byte == b'.' || byte == b':' || byte.is_ascii_uppercase())
}

/// `domainAndPort` in `regexp.go`.
fn is_domain(domain: &str) -> bool {
    let (host_is_valid, port) = if let Some(bracketed) = domain.strip_prefix('[') {
        let Some((address, rest)) = bracketed.split_once(']') else {
            return false;
        };
        // Nothing but a port may follow the bracket.
        let (between, port) = split(rest, ':');
        let address_is_valid = is_all(address, |byte| byte.is_ascii_hexdigit() || byte == b':');
        (address_is_valid && between.is_empty(), port)
    } else {
        let (host, port) = split(domain, ':');
        (host.split('.').all(is_domain_component), port)
    };
    host_is_valid && port.is_none_or(|port| is_all(port, |byte| byte.is_ascii_digit()))
}

/// `domainNameComponent` in `regexp.go`.
fn is_domain_component(component: &str) -> bool {
    is_all(component, |byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !component.starts_with('-')
        && !component.ends_with('-')
}

/// `remoteName` in `regexp.go`.
fn is_path(path: &str) -> bool {
    path.split('/').all(is_path_component)
}

/// `pathComponent` in `regexp.go`: between two letters or digits stand one dot, one or two underscores, or any number of
/// dashes.
fn is_path_component(component: &str) -> bool {
    // Without its letters and digits, a component is a separator between each two of them. It is empty at both ends.
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = component.as_bytes();
    let ends = |byte: Option<&u8>| byte.is_some_and(|byte| alphanumeric(*byte));
    ends(bytes.first())
        && ends(bytes.last())
        && bytes.split(|byte| alphanumeric(*byte)).all(|separator| match separator {
            [] | b"." | b"_" | b"__" => true,
            dashes => dashes.iter().all(|byte| *byte == b'-'),
        })
}

/// `tag` in `regexp.go`.
fn check_tag(tag: &str) -> Result<(), ReferenceError> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !is_all(tag, |byte| word(byte) || byte == b'.' || byte == b'-') || tag.starts_with(['.', '-']) {
        return Err(ReferenceError::Tag);
    }
    if tag.len() > MAX_TAG {
        return Err(ReferenceError::TagTooLong);
    }
    Ok(())
}

/// `Digest.Validate` in `digest.go` of go-digest. What passes it passes `digestPat` in `regexp.go` as well.
fn check_digest(digest: &str) -> Result<(), ReferenceError> {
    let (algorithm, encoded) = digest.split_once(':').ok_or(ReferenceError::Digest)?;
    let (algorithm, digits) = match algorithm {
        "" => return Err(ReferenceError::Digest),
        "sha256" => ("sha256", 64),
        "sha384" => ("sha384", 96),
        "sha512" => ("sha512", 128),
        _ => return Err(ReferenceError::DigestAlgorithm),
    };
    if encoded.len() != digits {
        return Err(ReferenceError::DigestLength { algorithm, digits });
    }
    if !is_lower_hex(encoded) {
        return Err(ReferenceError::Digest);
    }
    Ok(())
}

fn is_lower_hex(text: &str) -> bool {
    is_all(text, |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether there is a byte and every one of them passes.
fn is_all(text: &str, pass: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(pass)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEX: &str = "7cc4b5aefd1d0cadf8d97d4350462ba51c694ebca145b08d7d41b41acc8db5aa";

    /// The table was checked against `ParseNormalizedNamed` itself.
    #[test]
    fn parts() {
        for (text, domain, repository, tag) in [
            ("redis", "docker.io", "docker.io/library/redis", None),
            ("redis:7", "docker.io", "docker.io/library/redis", Some("7")),
            ("acme/api", "docker.io", "docker.io/acme/api", None),
            ("a/b/c:d", "docker.io", "docker.io/a/b/c", Some("d")),
            ("docker.io/redis", "docker.io", "docker.io/library/redis", None),
            ("docker.io/library/redis", "docker.io", "docker.io/library/redis", None),
            ("index.docker.io/redis", "docker.io", "docker.io/library/redis", None),
            ("index.docker.io/a/b:c", "docker.io", "docker.io/a/b", Some("c")),
            ("library/redis", "docker.io", "docker.io/library/redis", None),
            ("docker.io:443/redis", "docker.io:443", "docker.io:443/redis", None),
            ("localhost", "docker.io", "docker.io/library/localhost", None),
            ("localhost:5000", "docker.io", "docker.io/library/localhost", Some("5000")),
            ("localhost/x", "localhost", "localhost/x", None),
            ("localhost:5000/x:1", "localhost:5000", "localhost:5000/x", Some("1")),
            ("localhosts/x", "docker.io", "docker.io/localhosts/x", None),
            ("ghcr.io/acme/api:v1.2_3-x", "ghcr.io", "ghcr.io/acme/api", Some("v1.2_3-x")),
            ("127.0.0.1:5000/x", "127.0.0.1:5000", "127.0.0.1:5000/x", None),
            ("[::1]:5000/x", "[::1]:5000", "[::1]:5000/x", None),
            ("[2001:DB8::1]/x/y:z", "[2001:DB8::1]", "[2001:DB8::1]/x/y", Some("z")),
            ("[:]/x", "[:]", "[:]/x", None),
            ("Registry/x", "Registry", "Registry/x", None),
            ("GHCR.io/x", "GHCR.io", "GHCR.io/x", None),
            ("redis:7/x", "redis:7", "redis:7/x", None),
            ("a--b.example/x", "a--b.example", "a--b.example/x", None),
            ("x/a.b_c__d---e", "docker.io", "docker.io/x/a.b_c__d---e", None),
            ("redis:_", "docker.io", "docker.io/library/redis", Some("_")),
            ("redis:A.-", "docker.io", "docker.io/library/redis", Some("A.-")),
        ] {
            let reference = Reference::parse(text).unwrap();
            assert_eq!(reference.domain(), domain, "{text}");
            assert_eq!(reference.repository(), repository, "{text}");
            assert_eq!(reference.tag(), tag, "{text}");
            assert_eq!(reference.digest(), None, "{text}");

            let digest = ["sha256:", HEX].concat();
            let pinned = [text, "@", &digest].concat();
            let reference = Reference::parse(&pinned).unwrap();
            assert_eq!(reference.repository(), repository, "{pinned}");
            assert_eq!(reference.tag(), tag, "{pinned}");
            assert_eq!(reference.digest(), Some(digest.as_str()), "{pinned}");
        }
    }

    /// The library accepts the text, names the same repository and reports an empty domain.
    #[test]
    fn a_host_with_an_underscore_is_the_domain() {
        let reference = Reference::parse("my_registry.example/app:1").unwrap();
        assert_eq!(reference.domain(), "my_registry.example");
        assert_eq!(reference.repository(), "my_registry.example/app");
        assert_eq!(Reference::parse("my_registry:5000/app").unwrap_err(), ReferenceError::Domain);
    }

    #[test]
    fn a_name_in_normal_form_is_borrowed() {
        for (text, borrowed) in [
            ("docker.io/library/redis:7", true),
            ("ghcr.io/acme/api", true),
            ("redis", false),
            ("docker.io/redis", false),
            ("index.docker.io/acme/api", false),
        ] {
            let repository = Reference::parse(text).unwrap().repository();
            assert_eq!(matches!(repository, Cow::Borrowed(_)), borrowed, "{text}");
        }
    }

    #[test]
    fn refused() {
        use ReferenceError as E;

        let upper = HEX.to_uppercase();
        for (text, error) in [
            ("", E::Empty),
            (HEX, E::Identifier),
            (":7", E::NoName),
            ("@sha256:0", E::NoName),
            ("ghcr.io/", E::NoName),
            ("ghcr.io/:7", E::NoName),
            ("/", E::Name),
            ("/redis", E::Name),
            ("a//b", E::Name),
            ("a/", E::Name),
            ("ghcr.io//b", E::Name),
            ("Redis", E::Uppercase),
            ("acme/API", E::Uppercase),
            ("ghcr.io/acme/API:1", E::Uppercase),
            (" redis", E::Name),
            ("redis ", E::Name),
            ("redis\n", E::Name),
            ("-redis", E::Name),
            ("redis-", E::Name),
            ("re..dis", E::Name),
            ("re___dis", E::Name),
            ("re._dis", E::Name),
            ("re-_dis", E::Name),
            ("_", E::Name),
            ("rédis", E::Name),
            ("https://ghcr.io/x", E::Scheme),
            ("docker-pullable://redis@sha256:00", E::Scheme),
            ("ghcr.io/x:://", E::Scheme),
            ("ghcr..io/x", E::Domain),
            (".io/x", E::Domain),
            ("ghcr.io./x", E::Domain),
            ("-ghcr.io/x", E::Domain),
            ("ghcr-.io/x", E::Domain),
            ("ghcr.io:/x", E::Domain),
            ("ghcr.io:https/x", E::Domain),
            ("ghcr.io:1:2/x", E::Domain),
            (":5000/x", E::Domain),
            ("[::1/x", E::Domain),
            ("[]:1/x", E::Domain),
            ("[::1]5000/x", E::Domain),
            ("[::1]:/x", E::Domain),
            ("[::1%25eth0]:1/x", E::Domain),
            ("[::ffff:1.2.3.4]/x", E::Domain),
            ("É.io/x", E::Domain),
            ("redis:", E::Tag),
            ("redis:-1", E::Tag),
            ("redis:.1", E::Tag),
            ("redis:a:b", E::Tag),
            ("redis:a b", E::Tag),
            ("redis:é", E::Tag),
            ("redis@", E::Digest),
            ("redis@sha256", E::Digest),
            ("redis@:00", E::Digest),
            ("redis@md5:00000000000000000000000000000000", E::DigestAlgorithm),
            ("redis@SHA256:00", E::DigestAlgorithm),
            ("redis@sha256:00", E::DigestLength { algorithm: "sha256", digits: 64 }),
            ("redis@sha512:", E::DigestLength { algorithm: "sha512", digits: 128 }),
            (&format!("redis@sha384:{HEX}"), E::DigestLength { algorithm: "sha384", digits: 96 }),
            (&format!("redis@sha256:{upper}"), E::Digest),
            (&format!("redis@sha256:{HEX}@sha256:{HEX}"), E::DigestLength { algorithm: "sha256", digits: 64 }),
            (&format!("redis@sha256:{}", "é".repeat(32)), E::Digest),
        ] {
            assert_eq!(Reference::parse(text).unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn lengths() {
        let parse = |text: String| Reference::parse(&text).map(|_| ());
        let too_long = Err(ReferenceError::NameTooLong);
        // `library/` counts, a registry does not.
        assert_eq!(parse("a".repeat(247)), Ok(()));
        assert_eq!(parse("a".repeat(248)), too_long);
        assert_eq!(parse(format!("{}.io/{}", "d".repeat(300), "a".repeat(255))), Ok(()));
        assert_eq!(parse(format!("ghcr.io/{}", "a".repeat(256))), too_long);
        // An underscore makes the registry a part of the name, and so it counts.
        assert_eq!(parse(format!("d_d.io/{}", "a".repeat(248))), Ok(()));
        assert_eq!(parse(format!("d_d.io/{}", "a".repeat(249))), too_long);
        assert_eq!(parse(format!("a:{}", "t".repeat(128))), Ok(()));
        assert_eq!(parse(format!("a:{}", "t".repeat(129))), Err(ReferenceError::TagTooLong));
        assert_eq!(parse("a".repeat(1_000_000)), too_long);
    }

    #[test]
    fn messages() {
        let error = |text: &str| Reference::parse(text).unwrap_err().to_string();
        assert_eq!(error(""), "it is empty");
        assert_eq!(error("Redis"), "the repository name must be lowercase");
        assert_eq!(error(&format!("a:{}", "t".repeat(129))), "the tag has more than 128 characters");
        assert_eq!(error("a@sha256:0"), "sha256 digest must have 64 hexadecimal digits");
    }

    fn reference() -> impl Strategy<Value = String> {
        let registry = "([a-zA-Z0-9.-]{1,12}(:[0-9]{1,5})?/|\\[[0-9a-f:]{1,8}\\]/|localhost/|(index\\.)?docker\\.io/)?";
        (registry, "[a-z0-9._/-]{1,20}", "(:[\\w.-]{1,9})?", any::<bool>()).prop_map(|(registry, path, tag, pinned)| {
            let digest = if pinned { format!("@sha256:{HEX}") } else { String::new() };
            [registry, path, tag, digest].concat()
        })
    }

    proptest! {
        #[test]
        fn never_panics(any in "\\PC{0,80}", near in "[a-bA-Z0-1.:/@_\\[\\]é-]{0,20}") {
            for text in [any, near] {
                if let Err(error) = Reference::parse(&text) {
                    prop_assert!(error.to_string().len() < 120);
                }
            }
        }

        #[test]
        fn normal_form_is_idempotent(text in reference()) {
            if let Ok(once) = Reference::parse(&text) {
                let name = once.repository();
                let twice = Reference::parse(&name).unwrap();
                prop_assert_eq!(twice.domain(), once.domain());
                prop_assert_eq!(&twice.repository(), &name);
                prop_assert!(matches!(twice.repository(), Cow::Borrowed(_)));
                prop_assert_eq!((twice.tag(), twice.digest()), (None, None));
            }
        }

        #[test]
        fn parts_are_slices_of_the_text(text in reference()) {
            if let Ok(reference) = Reference::parse(&text) {
                let tag = reference.tag().map(|tag| [":", tag].concat());
                let digest = reference.digest().map(|digest| ["@", digest].concat());
                let end = tag.unwrap_or_default() + &digest.unwrap_or_default();
                prop_assert!(text.ends_with(&end));
                let name = &text[..text.len() - end.len()];
                let repository = reference.repository();
                let short = name.strip_prefix("index.docker.io/").or(name.strip_prefix("docker.io/")).unwrap_or(name);
                prop_assert!(repository.ends_with(short));
                prop_assert!(repository.starts_with(reference.domain()));
            }
        }
    }
}
