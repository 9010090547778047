//! Secrets that are known by their shape, whatever they are called.

use gatehouse_policy::Node;

use crate::ascii::has;
use crate::base64;

/// A token with a prefix of its own.
struct Shape {
    kind: &'static str,
    prefix: &'static str,
    body: Alphabet,
    /// The least and the most characters after the prefix.
    length: (u16, u16),
}

/// What a token's body is made of.
#[derive(Clone, Copy)]
enum Alphabet {
    /// Letters and digits.
    Alphanumeric,
    /// Those, `-` and `_`.
    Base64Url,
    /// Those, `.` as well: parts of a token.
    Dotted,
    /// Letters and digits, `/`, `+` and `=`, whole or as the end of a URL.
    Base64,
    /// Lower-case hexadecimal digits.
    Hex,
    /// Capitals and the digits from 2 to 7.
    Base32,
    /// Capitals and digits.
    Capitals,
}

impl Alphabet {
    fn has(self, byte: u8) -> bool {
        match self {
            Self::Alphanumeric => byte.is_ascii_alphanumeric(),
            Self::Base64Url => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'),
            Self::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'),
            Self::Base64 => byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'+' | b'=' | b'-' | b'_'),
            Self::Hex => byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'),
            Self::Base32 => byte.is_ascii_uppercase() || matches!(byte, b'2'..=b'7'),
            Self::Capitals => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
        }
    }
}

const fn shape(kind: &'static str, prefix: &'static str, body: Alphabet, least: u16, most: u16) -> Shape {
    Shape { kind, prefix, body, length: (least, most) }
}

/// Any length above the least: no more than that is looked at, so that a text of nothing but beginnings takes no longer.
const ANY: u16 = u16::MAX;

/// The prefixes are those that the issuers document. Where they leave the length open it is that of tokens in use, as in
/// <https://github.com/gitleaks/gitleaks/blob/master/config/gitleaks.toml>.
#[rustfmt::skip]
const SHAPES: &[Shape] = &[
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
    shape("an AWS access key id", "AKIA", Alphabet::Base32, 16, 16),
    shape("an AWS access key id", "ASIA", Alphabet::Base32, 16, 16),
    shape("an AWS access key id", "ABIA", Alphabet::Base32, 16, 16),
    shape("an AWS access key id", "ACCA", Alphabet::Base32, 16, 16),
    // https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/
    shape("a GitHub token", "ghp_", Alphabet::Alphanumeric, 36, 251),
    shape("a GitHub token", "gho_", Alphabet::Alphanumeric, 36, 251),
    shape("a GitHub token", "ghu_", Alphabet::Alphanumeric, 36, 251),
    shape("a GitHub token", "ghs_", Alphabet::Alphanumeric, 36, 251),
    shape("a GitHub token", "ghr_", Alphabet::Alphanumeric, 36, 251),
    shape("a GitHub token", "github_pat_", Alphabet::Base64Url, 82, 244),
    // https://docs.gitlab.com/security/tokens/#token-prefixes
    shape("a GitLab token", "glpat-", Alphabet::Base64Url, 20, 300),
    shape("a GitLab token", "gldt-", Alphabet::Base64Url, 20, 300),
    shape("a GitLab token", "glrt-", Alphabet::Base64Url, 20, 300),
    shape("a GitLab token", "glcbt-", Alphabet::Base64Url, 20, 300),
    shape("a GitLab token", "glptt-", Alphabet::Base64Url, 20, 300),
    shape("a GitLab token", "glsoat-", Alphabet::Base64Url, 20, 300),
    shape("a GitLab token", "glagent-", Alphabet::Base64Url, 50, 300),
    // https://docs.slack.dev/authentication/tokens
    shape("a Slack token", "xoxb-", Alphabet::Base64Url, 24, ANY),
    shape("a Slack token", "xoxp-", Alphabet::Base64Url, 24, ANY),
    shape("a Slack token", "xoxa-", Alphabet::Base64Url, 24, ANY),
    shape("a Slack token", "xoxr-", Alphabet::Base64Url, 24, ANY),
    shape("a Slack token", "xoxs-", Alphabet::Base64Url, 24, ANY),
    shape("a Slack token", "xoxe-", Alphabet::Base64Url, 24, ANY),
    shape("a Slack token", "xoxe.xoxp-", Alphabet::Base64Url, 24, ANY),
    shape("a Slack token", "xapp-", Alphabet::Base64Url, 24, ANY),
    // https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
    shape("a Slack webhook", "hooks.slack.com/services/T", Alphabet::Base64, 40, 50),
    // https://docs.stripe.com/keys, https://docs.stripe.com/webhooks
    shape("a Stripe key", "sk_live_", Alphabet::Alphanumeric, 16, 250),
    shape("a Stripe key", "rk_live_", Alphabet::Alphanumeric, 16, 250),
    shape("a Stripe webhook secret", "whsec_", Alphabet::Base64, 32, 100),
    // https://docs.cloud.google.com/docs/authentication/api-keys
    shape("a Google API key", "AIza", Alphabet::Base64Url, 35, 35),
    shape("a Google client secret", "GOCSPX-", Alphabet::Base64Url, 28, 28),
    // https://github.blog/security/announcing-npms-new-access-token-format/
    shape("an npm token", "npm_", Alphabet::Alphanumeric, 36, 36),
    // https://docs.pypi.org/api/secrets/: the rest starts with a macaroon of version 2.
    shape("a PyPI token", "pypi-AgEI", Alphabet::Base64Url, 50, ANY),
    shape("a PyPI token", "pypi-AgEN", Alphabet::Base64Url, 50, ANY),
    // https://www.twilio.com/docs/sendgrid/ui/account-and-settings/api-keys
    shape("a SendGrid key", "SG.", Alphabet::Dotted, 66, 66),
    // https://platform.openai.com/docs/api-reference/authentication
    shape("an OpenAI key", "sk-proj-", Alphabet::Base64Url, 40, ANY),
    shape("an OpenAI key", "sk-svcacct-", Alphabet::Base64Url, 40, ANY),
    shape("an OpenAI key", "sk-admin-", Alphabet::Base64Url, 40, ANY),
    shape("an OpenAI key", "sk-", Alphabet::Alphanumeric, 48, 48),
    // https://platform.claude.com/docs/en/api/overview
    shape("an Anthropic key", "sk-ant-", Alphabet::Base64Url, 80, ANY),
    // https://docs.docker.com/security/access-tokens/
    shape("a Docker Hub token", "dckr_pat_", Alphabet::Base64Url, 27, 40),
    shape("a Docker Hub token", "dckr_oat_", Alphabet::Base64Url, 32, 40),
    // https://huggingface.co/docs/hub/security-tokens
    shape("a Hugging Face token", "hf_", Alphabet::Alphanumeric, 34, 40),
    // https://docs.digitalocean.com/reference/api/create-personal-access-token/
    shape("a DigitalOcean token", "dop_v1_", Alphabet::Hex, 64, 64),
    shape("a DigitalOcean token", "doo_v1_", Alphabet::Hex, 64, 64),
    shape("a DigitalOcean token", "dor_v1_", Alphabet::Hex, 64, 64),
    // https://developer.hashicorp.com/vault/docs/concepts/tokens#token-prefixes
    shape("a Vault token", "hvs.", Alphabet::Base64Url, 24, ANY),
    shape("a Vault token", "hvb.", Alphabet::Base64Url, 24, ANY),
    shape("a Vault token", "hvr.", Alphabet::Base64Url, 24, ANY),
    // https://github.com/C2SP/C2SP/blob/main/age.md#the-x25519-recipient-type
    shape("an age secret key", "AGE-SECRET-KEY-1", Alphabet::Capitals, 58, 58),
    // https://learn.microsoft.com/azure/storage/common/storage-configure-connection-string
    shape("an Azure storage key", "AccountKey=", Alphabet::Base64, 88, 88),
    shape("an Azure shared access key", "SharedAccessKey=", Alphabet::Base64, 44, 44),
    // https://grafana.com/docs/grafana/latest/administration/service-accounts/
    shape("a Grafana token", "glsa_", Alphabet::Base64Url, 41, 41),
    // https://tailscale.com/kb/1277/key-prefixes
    shape("a Tailscale key", "tskey-", Alphabet::Base64Url, 20, 100),
    // https://shopify.dev/changelog/length-of-the-shopify-access-token-is-increasing
    shape("a Shopify token", "shpat_", Alphabet::Hex, 32, 64),
    shape("a Shopify secret", "shpss_", Alphabet::Hex, 32, 64),
    // https://docs.newrelic.com/docs/apis/intro-apis/new-relic-api-keys/
    shape("a New Relic key", "NRAK-", Alphabet::Capitals, 27, 27),
    // https://docs.databricks.com/aws/en/dev-tools/auth/pat
    shape("a Databricks token", "dapi", Alphabet::Hex, 32, 32),
    // https://guides.rubygems.org/api-key-scopes/
    shape("a RubyGems key", "rubygems_", Alphabet::Hex, 48, 48),
    // What `-----BEGIN … PRIVATE KEY-----` is in base64, as in the client-key-data of a kubeconfig.
    shape("a private key", "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0t", Alphabet::Base64, 40, ANY),
    shape("a private key", "LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVkt", Alphabet::Base64, 40, ANY),
    shape("a private key", "LS0tLS1CRUdJTiBFQyBQUklWQVRFIEtFWS0t", Alphabet::Base64, 40, ANY),
    shape("a private key", "LS0tLS1CRUdJTiBPUEVOU1NIIFBSSVZBVEUgS0VZ", Alphabet::Base64, 40, ANY),
];

/// The key of Azurite, the emulator of Azure's storage, which is the same for everybody
/// (<https://learn.microsoft.com/azure/storage/common/storage-connect-azurite>).
const EMULATOR: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq";

/// The least that a secret with a shape has: an AWS access key id.
const SHORTEST: usize = 20;

/// Whether a shape, a web token or a private key may start with these two characters: most words of most texts start with
/// others.
fn is_start(first: u8, second: u8) -> bool {
    match first {
        b'-' => second == b'-',
        b'A' => matches!(second, b'B' | b'C' | b'G' | b'I' | b'K' | b'S' | b'c'),
        b'G' => second == b'O',
        b'L' => second == b'S',
        b'N' => second == b'R',
        b'S' => matches!(second, b'G' | b'h'),
        b'd' => matches!(second, b'a' | b'c' | b'o'),
        b'e' | b'p' => second == b'y',
        b'g' => matches!(second, b'h' | b'i' | b'l'),
        b'h' => matches!(second, b'f' | b'o' | b'v'),
        b'n' => second == b'p',
        b'r' => matches!(second, b'k' | b'u'),
        b's' => matches!(second, b'h' | b'k'),
        b't' => second == b's',
        b'w' => second == b'h',
        b'x' => matches!(second, b'a' | b'o'),
        _ => false,
    }
}

/// The kinds of secrets that a text holds, each once, in their order.
pub fn kinds(text: &str) -> Vec<&'static str> {
    let mut kinds = Vec::new();
    if text.len() < SHORTEST {
        return kinds;
    }
    let bytes = text.as_bytes();
    for (at, pair) in bytes.windows(2).enumerate() {
        if !matches!(pair, [first, second] if is_start(*first, *second)) || !starts_word(bytes, at) {
            continue;
        }
        let rest = text.get(at..).unwrap_or_default();
        // A dash may be part of a web token, and what follows one has been looked at already.
        let follows_dash = at.checked_sub(1).is_some_and(|before| bytes.get(before) == Some(&b'-'));
        let found = match pair {
            b"--" => is_private_key(rest).then_some("a private key"),
            b"ey" => (!follows_dash && is_jwt(rest)).then_some("a JSON Web Token"),
            _ => SHAPES.iter().find(|shape| shape.matches(rest)).map(|shape| shape.kind),
        };
        if let Some(kind) = found.filter(|kind| !kinds.contains(kind)) {
            kinds.push(kind);
        }
    }
    kinds
}

/// Whether what precedes cannot belong to the same token; an escape as in `\nghp_…` is no part of it.
fn starts_word(text: &[u8], at: usize) -> bool {
    let before = |count: usize| at.checked_sub(count).and_then(|at| text.get(at).copied());
    match before(1) {
        None => true,
        Some(b'n' | b'r' | b't') if before(2) == Some(b'\\') => true,
        Some(byte) => !byte.is_ascii_alphanumeric() && byte != b'_',
    }
}

impl Shape {
    fn matches(&self, text: &str) -> bool {
        let Some(rest) = text.strip_prefix(self.prefix) else { return false };
        let (least, most) = self.length;
        let body = run(rest, self.body, if most == ANY { least } else { most }.into());
        let goes_on = rest.as_bytes().get(body.len()).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        body.len() >= usize::from(least) && (!goes_on || most == ANY) && is_drawn(body) && !body.starts_with(EMULATOR)
    }
}

/// What a text starts with, as far as the alphabet goes.
fn run(text: &str, alphabet: Alphabet, most: usize) -> &str {
    let length = text.bytes().take(most).take_while(|byte| alphabet.has(*byte)).count();
    text.get(..length).unwrap_or_default()
}

/// Whether a body may have been drawn by lot: `xxxx…` was not, nor was `your-token-goes-here`.
fn is_drawn(body: &str) -> bool {
    let has_any = |test: fn(&u8) -> bool| body.as_bytes().iter().any(test);
    let mut seen = 0_u128;
    for byte in body.bytes() {
        seen |= 1_u128.checked_shl(byte.into()).unwrap_or_default();
    }
    let is_mixed = has_any(u8::is_ascii_digit) || (has_any(u8::is_ascii_uppercase) && has_any(u8::is_ascii_lowercase));
    seen.count_ones() >= 6 && (is_mixed || !has(body, b"-_"))
}

/// Whether a text starts with a JSON Web Token: header, payload and signature, of which the header is an object that names
/// its algorithm (RFC 7515, section 4.1.1).
fn is_jwt(text: &str) -> bool {
    // Every object in base64 starts so, and one with `alg` is longer than this.
    let header = run(text, Alphabet::Base64Url, usize::MAX);
    if !header.starts_with("eyJ") || header.len() < 14 {
        return false;
    }
    let names_algorithm = |json: Vec<u8>| Node::from_json(&json).is_ok_and(|header| header.get("alg").is_some());
    if !base64::decode(header).is_some_and(names_algorithm) {
        return false;
    }
    let part =
        |text: &'_ str| text.strip_prefix('.').map_or(0, |rest| run(rest, Alphabet::Base64Url, usize::MAX).len());
    let rest = text.get(header.len()..).unwrap_or_default();
    let payload = part(rest);
    payload >= 8 && part(rest.get(payload + 1..).unwrap_or_default()) >= 16
}

/// Whether a text starts with a private key in PEM (RFC 7468), its lines apart by line breaks or by the `\n` of a string.
/// A mere header, as in a script that looks for one, is none.
fn is_private_key(text: &str) -> bool {
    let Some((label, rest)) = text.strip_prefix("-----BEGIN ").and_then(|text| text.split_once("-----")) else {
        return false;
    };
    if label.len() > 40 || !(label.ends_with("PRIVATE KEY") || label.ends_with("PRIVATE KEY BLOCK")) {
        return false;
    }
    let body = rest.split("-----").next().unwrap_or_default();
    let mut length: usize = 0;
    // What follows a backslash of `\n` is one letter longer.
    for line in body.split(['\n', '\r', '\\']) {
        // `Proc-Type: 4,ENCRYPTED`, `Version: GnuPG v2`
        if line.contains(": ") {
            continue;
        }
        if !line.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/+= \t".contains(&byte)) {
            return false;
        }
        length += line.trim().len();
    }
    length >= 40
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_starts_with_a_start() {
        for Shape { prefix, length: (least, _), .. } in SHAPES {
            assert!(matches!(prefix.as_bytes(), [first, second, ..] if is_start(*first, *second)), "{prefix}");
            assert!(prefix.len() + usize::from(*least) >= SHORTEST, "{prefix}");
        }
    }
}
