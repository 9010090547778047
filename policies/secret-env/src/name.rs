//! Whether a variable holds a secret, by its name.

use std::borrow::Cow;
use std::cmp::Ordering;

use gatehouse_policy::glob::Glob;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};

use crate::ascii::{has, is_all, until};

/// Patterns for the names of variables that hold secrets. `PWD` alone is the working directory.
pub const SENSITIVE: &[&str] = &[
    "*PASSWORD*",
    "*PASSWD*",
    "*PASSPHRASE*",
    "*PASSCODE*",
    "PASS",
    "*_PASS",
    "*_PWD",
    "*_PW",
    // Of LDAP's servers and clients, Redis and Java's key stores.
    "*BINDPW",
    "*ROOTPW",
    "*REQUIREPASS",
    "*MASTERAUTH",
    "*STOREPASS",
    "*KEYPASS",
    "*SECRET*",
    "*TOKEN*",
    "*CREDENTIAL*",
    "*_CREDS",
    // https://docs.confluent.io/platform/current/schema-registry/security/index.html
    "*AUTH_USER_INFO",
    "*API_KEY*",
    "*APIKEY*",
    "*PRIVATE_KEY*",
    "*PRIVATEKEY*",
    "*ACCESS_KEY*",
    "*ACCESSKEY*",
    "*ACCOUNT_KEY*",
    "*AUTH_KEY*",
    "*AUTHKEY*",
    "*SHARED_KEY*",
    "*ENCRYPTION_KEY*",
    "*CRYPT_KEY*",
    "*CIPHER_KEY*",
    "*HMAC_KEY*",
    "*JWT_KEY*",
    "*SIGNING_KEY*",
    "*MASTER_KEY*",
    "*ROOT_KEY*",
    "*UNSEAL_KEY*",
    "*LICENSE_KEY*",
    "*SUBSCRIPTION_KEY*",
    "*FERNET_KEY*",
    "*REPLICA_SET_KEY",
    "*AZURE_STORAGE_KEY*",
    // Of Laravel (https://laravel.com/docs/encryption) and Datadog.
    "APP_KEY",
    "*DD_APP_KEY",
    "*_SALT",
    "*_PSK",
    "*MNEMONIC*",
    "*ERLANG_COOKIE*",
    // https://redis.io/docs/latest/develop/tools/cli/, https://neo4j.com/docs/operations-manual/current/docker/introduction/
    "REDISCLI_AUTH",
    "REDIS_AUTH",
    "NEO4J_AUTH",
];

/// Last words of names that say something about a secret and are not it: where it is, what it is called, how long it lives,
/// of what sort it is and what is done with it. In their order, in the singular; as one text, since a list of them would be
/// twice as much of a module.
const ABOUT: &str = "ADDR ADDRESS AGE ALG ALGORITHM ALIAS ALLOWED ALLOWLIST ANNOTATION ARG ARN ATTEMPTS ATTRIBUTE AUDIENCE AUTH \
    AUTHENTICATION AUTHENTICATOR AUTHORITY BACKEND BINDING BITS BUCKET BUDGET BYTES CACHE CALLBACK CHAIN CHANGE CHAR \
    CHARACTER CHARSET CHECK CLAIM CLASS CMD COLUMN COMMAND COMPLEXITY CONFIG CONNECTOR CONTRACT CONTROLLER COST \
    COUNT CREATION DATE DAYS DECIMAL DELAY DELIMITER DESCRIPTION DESTINATION DIALECT DIR DIRECTORY DISABLE DISABLED \
    DISPLAY DOMAIN DRIVER DURATION ENABLE ENABLED ENCODER ENCODING ENCRYPTION ENDPOINT ENGINE ENV EXPIRATION EXPIRES \
    EXPIRY EXTENSION EXTRACTOR FACTORY FEATURE FETCHER FIELD FILE FILENAME FILTER FLOW FOLDER FORMAT GENERATION \
    GENERATOR GRACE GROUP GUARD HANDLER HASHER HEADER HELPER HINT HISTORY HOLDER HOST HOSTNAME HOURS ICON ID \
    IDENTIFIER IMAGE IN INDEX INJECTION INJECTOR INPUT INTERVAL INTROSPECTION ISSUER ITERATION KIND LABEL LANGUAGE \
    LEASE LEEWAY LENGTH LEVEL LIFESPAN LIFETIME LIMIT LIST LOADER LOCATION LOCK LOGGER LOGGING LOOKUP MANAGER MAP \
    MAPPING MARKER MAX MESSAGE METHOD MIDDLEWARE MILLIS MIN MINT MINUTES MODE MOUNT MS NAME NAMESPACE NUMBER \
    OPERATOR OPTIONS OWNER PARAM PARAMETER PARSER PATH PATTERN PDA PERIOD PLACEHOLDER PLUGIN POLICIES POLICY PORT \
    PREFIX PRIORITY PROCESSOR PROFILE PROGRAM PROJECT PROMPT PROPERTY PROTOCOL PROVIDER QUERY QUOTA RANGE RATE RATIO \
    REALM REASON RECOVERY REDIRECT REF REFERENCE REGEX REGEXP REGION RELOAD RENEW RENEWAL REQUEST REQUIRED \
    REQUIREMENT RESET RESOLVER RESPONSE RESTRICTION RETRIES REVIEW REVISION ROLE ROTATION ROUNDS ROUTE RULES SCANNER \
    SCHEMA SCHEME SCOPE SCRIPT SECONDS SECS SELECTOR SEPARATOR SERIALIZER SERVER SERVICE SERVICEACCOUNT SETTINGS \
    SIGNER SIZE SKEW SORT SOURCE SPEC STANDARD STATE STATUS STORAGE STORE STRATEGY STRENGTH SUBJECT SUBPATH SUFFIX \
    SUPPLY SUPPORT SYMBOL SYNC SYNTAX TABLE TAG TARGET TEMPLATE TENANT TEXT THRESHOLD TIMEOUT TITLE TRACKING \
    TRANSFORMER TTL TYPE UPDATER URI URL USAGE USER USERNAME VALIDATION VALIDATOR VARIABLE VAULT VERIFY VERSION \
    VISIBILITY WHITELIST WINDOW";

/// Ends of names that hold the name of a Kubernetes Secret, or of a cluster rather than of a key.
const NAMES_ONE: &[&str] = &[
    "EXISTING_SECRET",
    "PULL_SECRET",
    "PULL_SECRETS",
    "TLS_SECRET",
    "CERT_SECRET",
    "CERTIFICATE_SECRET",
    "CA_SECRET",
    // https://tailscale.com/kb/1282/docker
    "KUBE_SECRET",
    // https://github.com/tailscale/tailscale/blob/main/cmd/k8s-operator/deploy/manifests/operator.yaml
    "OPERATOR_SECRET",
    // Whether nginx tells its version (https://nginx.org/en/docs/http/ngx_http_core_module.html#server_tokens).
    "SERVER_TOKENS",
    // The key of a Secret that holds it.
    "CREDENTIALS_SECRET",
    "CREDENTIAL_SECRET",
    "PASSWORD_SECRET",
    "PASSWORD_KEY",
    // etcd's is a label by which clusters tell each other apart (https://etcd.io/docs/v3.6/op-guide/configuration/).
    "INITIAL_CLUSTER_TOKEN",
];

/// Words whose likeness to those of [`SENSITIVE`] means nothing.
const HARMLESS: &[&str] = &["TOKENIZER", "TOKENIZERS", "TOKENIZATION", "PASSWORDLESS"];

/// Words before `PUBLIC` at the start of a name of which bundlers put the value into the pages they make, where anybody
/// may read it: `NEXT_PUBLIC_…`, or just `PUBLIC_…`.
const BUNDLERS: &[&str] = &["NEXT", "NUXT", "EXPO", "VITE", "PLASMO"];

/// A pattern for the names of variables: case does not matter, and `-`, `.` and `:` are as `_`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern {
    glob: Glob,
    /// The letters that a name must at least have side by side, so that few names need be compared with few patterns.
    pairs: Pairs,
}

impl NamePattern {
    /// The pattern with this text.
    pub fn new(text: &str) -> Self {
        let glob = Glob::new(fold(text, false));
        Self { pairs: Pairs::of(glob.as_str()), glob }
    }

    /// Whether it matches the empty name alone.
    pub fn is_empty(&self) -> bool {
        self.glob.as_str().is_empty()
    }
}

impl<'de> Deserialize<'de> for NamePattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Glob::deserialize(deserializer).map(|glob| Self::new(glob.as_str()))
    }
}

impl JsonSchema for NamePattern {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Glob::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Glob::json_schema(generator)
    }
}

/// Whether a name may match one of the patterns: of most names this is all that need be asked.
pub fn may_match(patterns: &[NamePattern], name: &str) -> bool {
    let pairs = Pairs::of(name);
    patterns.iter().any(|pattern| pattern.pairs.are_in(pairs))
}

/// A name, as patterns are compared with it: as it stands, and with its words apart, so that `dbPass` is as `db_pass`.
pub struct Name {
    plain: String,
    apart: Option<String>,
    pairs: Pairs,
}

impl Name {
    /// The name with this text.
    pub fn new(text: &str) -> Self {
        let bytes = text.as_bytes();
        let is_mixed = (bytes.iter().any(u8::is_ascii_lowercase) && bytes.iter().any(u8::is_ascii_uppercase))
            || bytes.windows(2).any(|pair| pair == b"__");
        let apart = is_mixed.then(|| fold(text, true));
        Self { plain: fold(text, false), apart, pairs: Pairs::of(text) }
    }

    fn apart(&self) -> &str {
        self.apart.as_ref().unwrap_or(&self.plain)
    }

    /// The patterns that match it.
    fn matching<'p>(&self, patterns: &'p [NamePattern]) -> impl Iterator<Item = &'p str> {
        let matches =
            |glob: &&Glob| glob.matches(&self.plain) || self.apart.as_ref().is_some_and(|apart| glob.matches(apart));
        let may_match = patterns.iter().filter(|pattern| pattern.pairs.are_in(self.pairs));
        may_match.map(|pattern| &pattern.glob).filter(matches).map(Glob::as_str)
    }

    /// Whether one of the patterns matches it.
    pub fn matches(&self, patterns: &[NamePattern]) -> bool {
        self.matching(patterns).next().is_some()
    }

    /// Whether it is to be that of a secret by one of the patterns. One without wildcards names its secret outright, and
    /// leaves nothing to be told by its words.
    pub fn is_sensitive(&self, patterns: &[NamePattern]) -> bool {
        let mut matching = self.matching(patterns).peekable();
        if matching.peek().is_none() {
            return false;
        }
        let words = self.apart();
        matching.any(|pattern| !has(pattern, b"*?"))
            || !(is_harmless(words) || (is_public(words) && !self.is_password()))
    }

    /// Whether the value is to be the key of an API: some programs want one even of a server that asks for none.
    pub fn is_api_key(&self) -> bool {
        self.apart().ends_with("API_KEY")
    }

    /// Whether a value is the name of a Secret, or of several, rather than what is in them. Of most names this cannot be told:
    /// a secret may be called as it pleases.
    pub fn is_given_names(&self, value: &str) -> bool {
        let name = self.apart();
        let is_in_names = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.,/ ".contains(byte);
        let are_names = value.contains('-') && is_all(value, is_in_names);
        are_names && (name.ends_with("SECRETS") || (name.ends_with("TOKEN_SECRET") && value.ends_with("-token")))
    }

    /// Whether the value is to be a password: then digits are one too, and no quantity.
    pub fn is_password(&self) -> bool {
        ["PASSWORD", "PASSWD", "PASSPHRASE", "_PASS", "_PWD"].iter().any(|end| self.apart().ends_with(end))
    }
}

/// A set of pairs of letters and digits that stand side by side, whatever their case and what separates them; several pairs
/// may count as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pairs(u64);

impl Pairs {
    fn of(text: &str) -> Self {
        let (mut pairs, mut last) = (0, None);
        for byte in text.bytes() {
            let byte = match byte {
                b'*' | b'?' => None,
                b'_' | b'-' | b'.' | b':' => continue,
                _ => Some(u32::from(byte.to_ascii_uppercase())),
            };
            if let (Some(last), Some(byte)) = (last, byte) {
                pairs |= 1_u64 << ((last * 7 + byte) & 63);
            }
            last = byte;
        }
        Self(pairs)
    }

    fn are_in(self, others: Self) -> bool {
        self.0 & !others.0 == 0
    }
}

fn is_harmless(words: &str) -> bool {
    // Some write such words as one: `SECRETNAME`.
    const SECRETS: &[&str] = &["PASSWORD", "SECRET", "TOKEN", "CREDENTIALS", "ACCESSKEY", "APIKEY", ""];
    // What a model reads and writes.
    const OF_MODELS: &[&str] = &["MAX", "MIN", "NUM", "TOTAL", "INPUT", "OUTPUT", "PROMPT", "COMPLETION", "CONTEXT"];
    let has_any = |of: &[&str]| words.split('_').any(|word| of.contains(&word));
    let last = words.rsplit('_').next().unwrap_or_default();
    let mut rests = SECRETS.iter().filter_map(|secret| last.strip_prefix(secret));
    rests.any(|rest| is_about(rest) || rest.strip_suffix('S').is_some_and(is_about))
        || NAMES_ONE.iter().any(|end| ends_with(words, end))
        || has_any(HARMLESS)
        || (last == "TOKENS" && has_any(OF_MODELS))
}

/// Whether a word is among those of [`ABOUT`].
fn is_about(word: &str) -> bool {
    let (mut low, mut high) = (0, ABOUT.len());
    while low < high {
        let before = ABOUT.get(low..low.midpoint(high)).unwrap_or_default();
        let start = low + before.rfind(' ').map_or(0, |space| space + 1);
        let found = until(ABOUT.get(start..).unwrap_or_default(), b" ");
        match found.cmp(word) {
            Ordering::Less => low = start + found.len() + 1,
            Ordering::Equal => return true,
            Ordering::Greater => high = start,
        }
    }
    false
}

/// Whether a name ends with these words.
fn ends_with(words: &str, end: &str) -> bool {
    words.strip_suffix(end).is_some_and(|before| before.is_empty() || before.ends_with('_'))
}

/// Whether the words say that anybody may know the value: it is put into pages, or the key or token itself is public.
fn is_public(words: &str) -> bool {
    ["PUBLIC_", "PUBLISHABLE_"].iter().any(|public| {
        words.split_once(public).is_some_and(|(before, after)| {
            let in_pages = before.strip_suffix('_').is_some_and(|bundler| BUNDLERS.contains(&bundler));
            let is_own = matches!(after, "KEY" | "API_KEY" | "TOKEN");
            before.is_empty() || in_pages || (is_own && before.ends_with('_'))
        })
    })
}

/// A name by which `db.password`, `db-password` and `DB_PASSWORD` are alike; with an underscore between the words of
/// `s3AccessKeyIDName` too, if they are to be apart.
fn fold(name: &str, apart: bool) -> String {
    let mut folded = Vec::with_capacity(name.len() + 8);
    let mut last = b'_';
    for (index, byte) in name.bytes().enumerate() {
        let ends_acronym = || name.as_bytes().get(index + 1).is_some_and(u8::is_ascii_lowercase);
        let starts_word =
            last.is_ascii_lowercase() || last.is_ascii_digit() || (last.is_ascii_uppercase() && ends_acronym());
        if apart && byte.is_ascii_uppercase() && starts_word {
            folded.push(b'_');
        }
        last = byte;
        let byte = if b"-.:".contains(&byte) { b'_' } else { byte.to_ascii_uppercase() };
        // However many separate two words.
        if !(apart && byte == b'_' && folded.last() == Some(&b'_')) {
            folded.push(byte);
        }
    }
    String::from_utf8(folded).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found() {
        assert!(ABOUT.split(' ').is_sorted());
        for word in ABOUT.split(' ') {
            assert!(is_about(word), "{word}");
        }
        for word in ["", "A", "ZZ", "FILENAMES", "PASSWORD", "AGE ALG", " ", "É"] {
            assert!(!is_about(word), "{word}");
        }
    }
}
