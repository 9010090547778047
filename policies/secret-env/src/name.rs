//! Whether a variable holds a secret, by its name.

use std::borrow::Cow;

use gatehouse_policy::glob::Glob;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};

use crate::ascii::has;

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
/// of what sort it is and what is done with it. In their order, in the singular.
#[rustfmt::skip]
const ABOUT: &[&str] = &[
    "ADDR", "ADDRESS", "AGE", "ALG", "ALGORITHM", "ALIAS", "ALLOWED", "ANNOTATION", "ARN", "ATTEMPTS", "ATTRIBUTE",
    "AUDIENCE", "AUTH", "BACKEND", "BITS", "BUCKET", "BUDGET", "BYTES", "CACHE", "CHAIN", "CHANGE", "CHARSET", "CHECK",
    "CLAIM", "CLASS", "CMD", "COLUMN", "COMMAND", "CONFIG", "CONNECTOR", "CONTROLLER", "COST", "COUNT", "DAYS", "DELAY",
    "DELIMITER", "DESCRIPTION", "DIR", "DIRECTORY", "DISABLE", "DISABLED", "DOMAIN", "DRIVER", "DURATION", "ENABLE",
    "ENABLED", "ENCODER", "ENCODING", "ENCRYPTION", "ENDPOINT", "ENGINE", "ENV", "EXPIRATION", "EXPIRES", "EXPIRY",
    "EXTRACTOR", "FETCHER", "FIELD", "FILE", "FILENAME", "FLOW", "FOLDER", "FORMAT", "GENERATOR", "GROUP", "HANDLER",
    "HASHER", "HEADER", "HELPER", "HINT", "HISTORY", "HOST", "HOSTNAME", "HOURS", "ID", "IMAGE", "IN", "INDEX", "INPUT",
    "INTERVAL", "ISSUER", "KIND", "LABEL", "LEEWAY", "LENGTH", "LEVEL", "LIFESPAN", "LIFETIME", "LIMIT", "LIST",
    "LOCATION", "MANAGER", "MAPPING", "MAX", "MESSAGE", "METHOD", "MILLIS", "MIN", "MINUTES", "MODE", "MOUNT", "MS",
    "NAME", "NAMESPACE", "OPERATOR", "OPTIONS", "OWNER", "PARAM", "PARAMETER", "PATH", "PATTERN", "PERIOD",
    "PLACEHOLDER", "PLUGIN", "POLICY", "PORT", "PREFIX", "PROJECT", "PROMPT", "PROPERTY", "PROVIDER", "QUERY", "RATE",
    "RATIO", "RECOVERY", "REF", "REFERENCE", "REGEX", "REGEXP", "REGION", "RENEWAL", "REQUEST", "REQUIRED", "RESET",
    "RESPONSE", "RETRIES", "REVIEW", "REVISION", "ROLE", "ROTATION", "ROUNDS", "RULES", "SCHEMA", "SCOPE", "SCRIPT",
    "SECONDS", "SECS", "SELECTOR", "SEPARATOR", "SERVER", "SERVICE", "SETTINGS", "SIZE", "SKEW", "SOURCE", "STATE",
    "STATUS", "STORAGE", "STORE", "STRATEGY", "STRENGTH", "SUBJECT", "SUFFIX", "TABLE", "TAG", "TEMPLATE", "TEXT",
    "THRESHOLD", "TIMEOUT", "TITLE", "TTL", "TYPE", "URI", "URL", "USAGE", "USER", "USERNAME", "VALIDATION",
    "VALIDATOR", "VARIABLE", "VAULT", "VERIFY", "VERSION",
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
        let is_mixed = bytes.iter().any(u8::is_ascii_lowercase) && bytes.iter().any(u8::is_ascii_uppercase);
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
        let words: Vec<&str> = self.apart().split('_').filter(|word| !word.is_empty()).collect();
        matching.any(|pattern| !has(pattern, b"*?"))
            || !(is_harmless(&words) || (is_public(&words) && !self.is_password()))
    }

    /// Whether the value is to be the key of an API: some programs want one even of a server that asks for none.
    pub fn is_api_key(&self) -> bool {
        self.apart().ends_with("API_KEY")
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

fn is_harmless(words: &[&str]) -> bool {
    // Some write such words as one: `SECRETNAME`.
    const SECRETS: &[&str] = &["PASSWORD", "SECRET", "TOKEN", "CREDENTIALS", ""];
    let is_about = |word: &str| ABOUT.binary_search(&word).is_ok();
    let ends = |last: &str| {
        let rests = SECRETS.iter().filter_map(|secret| last.strip_prefix(secret));
        rests.into_iter().any(|rest| is_about(rest) || rest.strip_suffix('S').is_some_and(is_about))
    };
    // What a model reads and writes.
    const OF_MODELS: &[&str] = &["MAX", "MIN", "NUM", "TOTAL", "INPUT", "OUTPUT", "PROMPT", "COMPLETION", "CONTEXT"];
    let counts = words.ends_with(&["TOKENS"]) && words.iter().any(|word| OF_MODELS.contains(word));
    counts
        || words.last().is_some_and(|last| ends(last))
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

/// A name by which `db.password`, `db-password` and `DB_PASSWORD` are alike; with an underscore between the words of
/// `s3AccessKeyIDName` too, if they are to be apart.
fn fold(name: &str, apart: bool) -> String {
    let mut folded = String::with_capacity(name.len() + 8);
    let mut characters = name.chars().peekable();
    let mut last = '_';
    while let Some(character) = characters.next() {
        let ends_acronym = last.is_ascii_uppercase() && characters.peek().is_some_and(char::is_ascii_lowercase);
        let starts_word = last.is_ascii_lowercase() || last.is_ascii_digit() || ends_acronym;
        if apart && character.is_ascii_uppercase() && starts_word {
            folded.push('_');
        }
        last = character;
        folded.push(if matches!(character, '-' | '.' | ':') { '_' } else { character.to_ascii_uppercase() });
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_in_their_order() {
        assert!(ABOUT.is_sorted());
    }
}
