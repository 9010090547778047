//! Values that stand for a secret which the program, or what starts it, looks up.

use crate::ascii::{has, is_all, starts};

/// How a reference is written: what it starts with, and what must follow to the value's end.
struct Syntax(&'static str, fn(&str) -> bool);

/// Each by the syntax of its source, so that a password that only begins alike is none. What has a scheme of its own
/// (`op://…`, `berglas://…`, `ref+vault://…`) is a URL, and what is in braces (`${file:…}`, `{vault://…}`) a placeholder:
/// `value.rs` knows them.
const SYNTAXES: &[Syntax] = &[
    // https://github.com/bank-vaults/secret-init/blob/main/provider/vault/config.go and bao's beside it
    Syntax("vault:", is_vault),
    Syntax(">>vault:", is_vault),
    Syntax("bao:", is_vault),
    Syntax(">>bao:", is_vault),
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
    Syntax("arn:aws", is_arn),
    // https://github.com/doitintl/secrets-init#integration-with-google-secret-manager
    Syntax("gcp:secretmanager:", is_path),
    // https://docs.akeyless.io/docs/how-to-provision-secret-to-your-k8s
    Syntax("akeyless:/", is_path),
    // https://docs.openssl.org/master/man1/openssl-passphrase-options/
    Syntax("env:", is_variable),
    // https://argocd-image-updater.readthedocs.io/en/stable/basics/authentication/
    Syntax("secret:", |rest| rest.contains('/') && is_path(rest)),
    Syntax("pullsecret:", |rest| rest.contains('/') && is_path(rest)),
    Syntax("ext:/", is_path),
    // https://docs.litellm.ai/docs/proxy/configs
    Syntax("os.environ/", is_variable),
    // https://getsops.io/docs/#encryption-protocol
    Syntax("ENC[AES256_GCM,data:", |rest| rest.contains(",iv:") && rest.contains(",tag:") && ends(rest, "]", is_any)),
    // https://docs.datadoghq.com/agent/configuration/secrets-management/
    Syntax("ENC[", |rest| ends(rest, "]", is_any)),
    // https://github.com/ulisesbocchio/jasypt-spring-boot#encryption-configuration
    Syntax("ENC(", |rest| ends(rest, ")", is_base64)),
    // https://docs.spring.io/spring-cloud-config/reference/server/encryption-and-decryption.html
    Syntax("{cipher}", is_base64),
    // https://learn.microsoft.com/azure/app-service/app-service-key-vault-references
    Syntax("@Microsoft.KeyVault(", |rest| rest.contains('=') && ends(rest, ")", is_any)),
    // https://grafana.com/docs/grafana/latest/setup-grafana/configure-grafana/#variable-expansion
    Syntax("$__file{", |rest| ends(rest, "}", is_any)),
    Syntax("$__env{", |rest| ends(rest, "}", is_variable)),
    Syntax("$__vault{", |rest| ends(rest, "}", is_any)),
    // https://docs.influxdata.com/telegraf/v1/configuration/secrets/
    Syntax("@{", |rest| ends(rest, "}", is_store_and_name)),
    // https://vector.dev/highlights/2022-07-07-secrets-management/
    Syntax("SECRET[", |rest| ends(rest, "]", |rest| rest.contains('.') && is_path(rest))),
    // https://docs.ansible.com/ansible/latest/vault_guide/vault_encrypting_content.html
    Syntax("!vault", |rest| matches!(rest.trim(), "" | "|" | "|-" | ">")),
    // https://cyberark.github.io/summon/
    Syntax("!var", |rest| starts(rest, b" :")),
];

/// Whether a value refers to a secret, and nothing else.
pub fn is_reference(value: &str) -> bool {
    let follows = |Syntax(start, rest): &Syntax| value.strip_prefix(start).is_some_and(rest);
    SYNTAXES.iter().any(follows) || is_in_key_vault(value)
}

/// `name@azurekeyvault`, or `name@azurekeyvault?key` (`envLookupRegex` in
/// <https://github.com/SparebankenVest/azure-key-vault-to-kubernetes/blob/master/cmd/azure-keyvault-env/main.go>).
fn is_in_key_vault(value: &str) -> bool {
    let is_name = |name: &str| is_all(name, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-');
    value
        .split_once("@azurekeyvault")
        .is_some_and(|(name, rest)| is_name(name) && (rest.is_empty() || rest.strip_prefix('?').is_some_and(is_name)))
}

/// A path and a key in it, or what is to be had without: `secret/data/app#password`, `login`.
fn is_vault(rest: &str) -> bool {
    rest == "login" || rest.split_once('#').is_some_and(|(path, key)| is_path(path) && !key.is_empty())
}

/// `arn:partition:service:region:account:resource`, from its partition on.
fn is_arn(rest: &str) -> bool {
    starts(rest, b":-") && rest.split(':').count() >= 5 && !has(rest, b" \t\n")
}

fn is_path(rest: &str) -> bool {
    is_all(rest, |byte| byte.is_ascii_alphanumeric() || b"/-_.:#@".contains(byte))
}

fn is_variable(rest: &str) -> bool {
    is_all(rest, |byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

fn is_store_and_name(rest: &str) -> bool {
    rest.split_once(':').is_some_and(|(store, name)| is_variable(store) && is_variable(name))
}

fn is_base64(rest: &str) -> bool {
    is_all(rest, |byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte))
}

fn is_any(rest: &str) -> bool {
    !rest.is_empty()
}

fn ends(rest: &str, end: &str, test: fn(&str) -> bool) -> bool {
    rest.strip_suffix(end).is_some_and(test)
}
