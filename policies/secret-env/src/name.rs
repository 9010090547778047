//! Whether a variable holds a secret, by its name.

use std::borrow::Cow;

use gatehouse_policy::glob::Glob;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};

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

/// Last words of names that say something about a secret and are not it: `TOKEN_TTL`, `PASSWORD_FILE`.
#[rustfmt::skip]
const ABOUT: &[&str] = &[
    // Where it is.
    "FILE", "FILES", "FILENAME", "PATH", "PATHS", "DIR", "DIRECTORY", "FOLDER", "MOUNT", "LOCATION", "URL", "URLS",
    "URI", "ENDPOINT", "ENDPOINTS", "HOST", "HOSTS", "HOSTNAME", "PORT", "ADDR", "ADDRESS", "SERVER", "SERVICE",
    "DOMAIN", "REGION", "STORE", "STORAGE", "BACKEND", "MANAGER", "PROVIDER", "SOURCE", "VAULT", "PROJECT", "BUCKET",
    "TABLE", "COLUMN", "HEADER", "HEADERS", "FIELD", "PARAM", "PARAMETER", "CLAIM", "CLAIMS", "ATTRIBUTE", "PROPERTY",
    "VARIABLE",
    // What it is called, or who it is for.
    "NAME", "NAMES", "NAMESPACE", "NAMESPACES", "ID", "IDS", "ARN", "REF", "REFS", "REFERENCE", "ALIAS", "LABEL",
    "LABELS", "SELECTOR", "ANNOTATION", "PREFIX", "SUFFIX", "USER", "USERNAME", "ISSUER", "AUDIENCE", "AUDIENCES",
    "SUBJECT", "GROUP", "ROLE", "OWNER", "TAG", "VERSION", "REVISION", "DESCRIPTION", "TITLE", "HINT", "MESSAGE",
    "PROMPT",
    // How long it lives, how large it is.
    "TTL", "EXPIRY", "EXPIRES", "EXPIRATION", "IN", "LIFETIME", "LIFESPAN", "DURATION", "TIMEOUT", "INTERVAL", "PERIOD",
    "AGE", "DELAY", "SECONDS", "SECS", "MINUTES", "MINS", "HOURS", "DAYS", "MS", "MILLIS", "LEEWAY", "SKEW", "LENGTH",
    "SIZE", "LIMIT", "LIMITS", "COUNT", "MIN", "MAX", "BITS", "BYTES", "ROUNDS", "COST", "RATIO", "THRESHOLD",
    "RETRIES", "ATTEMPTS", "RATE", "BUDGET",
    // What sort it is of, and what is done with it.
    "TYPE", "TYPES", "KIND", "CLASS", "FORMAT", "ALGORITHM", "ALGORITHMS", "ALG", "METHOD", "METHODS", "MODE",
    "STRATEGY", "POLICY", "SCOPE", "SCOPES", "ENCODING", "ENCRYPTION", "ENCODER", "HASHER", "CHARSET", "REGEX",
    "PATTERN", "RULES", "ENABLED", "ENABLE", "DISABLED", "DISABLE", "REQUIRED", "ALLOWED", "CHECK", "CHECKS",
    "VALIDATION", "VALIDATOR", "VERIFY", "ROTATION", "RENEWAL", "RESET", "CACHE", "HELPER", "COMMAND", "CMD", "SCRIPT",
    "IMAGE", "DRIVER", "PLUGIN", "CHAIN", "ENGINE", "HANDLER", "FETCHER", "CONTROLLER", "OPERATOR", "TEMPLATE", "LEVEL",
    "SCHEMA", "AUTH", "REVIEW", "REVIEWS", "REQUEST", "REQUESTS", "RESPONSE", "LIST", "USAGE", "INDEX", "OPTIONS", "CONFIG",
    "SETTINGS", "STATUS", "STATE", "GENERATOR", "REGEXP", "EXTRACTOR", "SEPARATOR", "DELIMITER", "QUERY",
    "STRENGTH", "HISTORY", "CONNECTOR", "ENV",
    "FLOW", "CHANGE", "RECOVERY", "PLACEHOLDER", "TEXT", "INPUT",
];

/// Ends of names that hold the name of a Kubernetes Secret, or of a cluster rather than of a key.
const NAMES_ONE: &[&[&str]] = &[
    &["EXISTING", "SECRET"],
    &["PULL", "SECRET"],
    &["PULL", "SECRETS"],
    &["TLS", "SECRET"],
    &["CERT", "SECRET"],
    &["CERTIFICATE", "SECRET"],
    &["CA", "SECRET"],
    // https://tailscale.com/kb/1282/docker
    &["KUBE", "SECRET"],
    // https://github.com/tailscale/tailscale/blob/main/cmd/k8s-operator/deploy/manifests/operator.yaml
    &["OPERATOR", "SECRET"],
    // Whether nginx tells its version (https://nginx.org/en/docs/http/ngx_http_core_module.html#server_tokens).
    &["SERVER", "TOKENS"],
    // The key of a Secret that holds it.
    &["CREDENTIALS", "SECRET"],
    &["CREDENTIAL", "SECRET"],
    &["PASSWORD", "SECRET"],
    &["PASSWORD", "KEY"],
    &["TOKEN", "KEY"],
    // etcd's is a label by which clusters tell each other apart (https://etcd.io/docs/v3.6/op-guide/configuration/).
    &["INITIAL", "CLUSTER", "TOKEN"],
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
        let glob = Glob::new(fold(text));
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

/// Whether a variable is to be secret by one of the patterns. One without wildcards names its variable outright, and
/// leaves nothing to be told by its words.
pub fn is_sensitive(patterns: &[NamePattern], name: &str) -> bool {
    let (mut matches, mut outright) = (false, false);
    for_each_match(patterns, name, |pattern| {
        matches = true;
        outright |= !pattern.contains(['*', '?']);
    });
    if !matches || outright {
        return matches;
    }
    let words = words(name);
    let words: Vec<&str> = words.split('_').filter(|word| !word.is_empty()).collect();
    !(is_harmless(&words) || (is_public(&words) && !is_password(name)))
}

/// Whether one of the patterns matches, whatever the case.
pub fn matches(patterns: &[NamePattern], name: &str) -> bool {
    let mut matches = false;
    for_each_match(patterns, name, |_| matches = true);
    matches
}

/// Gives each pattern that matches a name as it stands, or with its words apart: `dbPass` is as `db_pass`.
fn for_each_match(patterns: &[NamePattern], name: &str, mut found: impl FnMut(&str)) {
    let pairs = Pairs::of(name);
    let mut folded = None;
    for pattern in patterns.iter().filter(|pattern| pattern.pairs.are_in(pairs)) {
        let (plain, apart) = folded.get_or_insert_with(|| (fold(name), words(name)));
        if pattern.glob.matches(plain) || pattern.glob.matches(apart) {
            found(pattern.glob.as_str());
        }
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
                pairs |= 1_u64 << ((last * 7 + byte) % 64);
            }
            last = byte;
        }
        Self(pairs)
    }

    fn are_in(self, others: Self) -> bool {
        self.0 & !others.0 == 0
    }
}

fn is_harmless(words: &[&str]) -> bool {
    words.last().is_some_and(|last| ABOUT.contains(last))
        || NAMES_ONE.iter().any(|end| words.ends_with(end))
        || words.iter().any(|word| HARMLESS.contains(word))
}

/// Whether the words say that anybody may know the value: it is put into pages, or the key or token itself is public.
fn is_public(words: &[&str]) -> bool {
    let kinds: [&[&str]; 3] = [&["KEY"], &["API", "KEY"], &["TOKEN"]];
    let public = words.iter().position(|word| matches!(*word, "PUBLIC" | "PUBLISHABLE"));
    public.and_then(|at| words.split_at_checked(at)).is_some_and(|(before, rest)| {
        let in_pages = matches!(before, []) || matches!(before, [bundler] if BUNDLERS.contains(bundler));
        in_pages || kinds.iter().any(|kind| rest.get(1..).is_some_and(|after| after == *kind))
    })
}

/// Whether the value is to be a password: then digits are one too, and no quantity.
pub fn is_password(name: &str) -> bool {
    let name = fold(name);
    ["PASSWORD", "PASSWD", "PASSPHRASE", "_PASS", "_PWD"].iter().any(|end| name.ends_with(end))
}

/// A name by which `db.password`, `db-password` and `DB_PASSWORD` are alike.
fn fold(name: &str) -> String {
    name.replace(['-', '.', ':'], "_").to_ascii_uppercase()
}

/// The name with an underscore between its words, those of `tokenLifetimeSeconds` too.
fn words(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 8);
    let mut last_is_lower = false;
    for character in name.chars() {
        if last_is_lower && character.is_ascii_uppercase() {
            words.push('_');
        }
        last_is_lower = character.is_ascii_lowercase();
        words.push(character);
    }
    fold(&words)
}
