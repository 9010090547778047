//! What is known of images by their names.

use gatehouse_policy::glob::Glob;
use gatehouse_policy::image::Reference;

/// Images that run as a user other than root where nobody says otherwise, by their full names: their own Dockerfiles end with
/// such a USER.
const NON_ROOT: &[&str] = &[
    // https://edu.chainguard.dev/chainguard/chainguard-images/overview/
    "cgr.dev/chainguard/*",
    // https://docs.docker.com/dhi/core-concepts/
    "dhi.io/*",
    // https://github.com/bitnami/containers
    "docker.io/bitnami/*",
    "docker.io/bitnamilegacy/*",
    "docker.io/bitnamisecure/*",
    "public.ecr.aws/bitnami/*",
    "docker.elastic.co/elasticsearch/*",
    "docker.elastic.co/kibana/*",
    "docker.elastic.co/logstash/*",
    "docker.io/apache/airflow",
    "docker.io/apache/kafka",
    "docker.io/apache/nifi",
    "docker.io/apache/spark",
    "docker.io/apache/superset",
    "docker.io/cimg/*",
    "docker.io/circleci/*",
    "docker.io/confluentinc/cp-*",
    "docker.io/curlimages/curl",
    "docker.io/gitpod/*",
    "docker.io/grafana/grafana*",
    "docker.io/grafana/loki",
    "docker.io/homebrew/*",
    "docker.io/jenkins/agent",
    "docker.io/jenkins/inbound-agent",
    "docker.io/jenkins/jenkins",
    "docker.io/jupyter/*",
    "docker.io/library/elasticsearch",
    "docker.io/library/haproxy",
    "docker.io/library/kibana",
    "docker.io/library/kong",
    "docker.io/library/logstash",
    "docker.io/library/memcached",
    "docker.io/library/solr",
    "docker.io/library/sonarqube",
    "docker.io/library/varnish",
    "docker.io/mambaorg/micromamba",
    "docker.io/openpolicyagent/opa",
    "docker.io/opensearchproject/*",
    "docker.io/prom/*",
    "docker.io/selenium/*",
    "docker.io/sonatype/nexus3",
    "ghcr.io/actions/actions-runner",
    "ghcr.io/puppeteer/puppeteer",
    "mcr.microsoft.com/mssql/server",
    "quay.io/jupyter/*",
    "quay.io/keycloak/keycloak",
    "quay.io/prometheus/*",
    "quay.io/quarkus/*",
    "registry.k8s.io/pause",
];

/// Images in the same places that run as root all the same.
const ROOT: &[&str] = &["cgr.dev/chainguard/*-base", "dhi.io/*:*-dev*", "*/minideb"];

/// Whether an image is known to run as a user other than root: by its full name, by a word in its name or tag that says so, as
/// `nginx-unprivileged` and `debian12:nonroot` have, or as one of Red Hat's for a language, such as `ubi9/nodejs-22`.
pub fn is_non_root(image: &str) -> bool {
    let Ok(reference) = Reference::parse(image) else { return false };
    let repository = reference.repository();
    let tag = reference.tag().unwrap_or_default();
    let full = format!("{repository}:{tag}");
    let is_any = |patterns: &[&str]| {
        patterns.iter().any(|pattern| {
            let glob = Glob::new(*pattern);
            glob.matches(&repository) || glob.matches(&full)
        })
    };
    let name = repository.rsplit('/').next().unwrap_or_default();
    let says_so = ["nonroot", "non-root", "rootless", "unprivileged", "chiseled"];
    let is_for_language =
        repository.starts_with("registry.access.redhat.com/ubi") || repository.starts_with("registry.redhat.io/ubi");
    says_so.iter().any(|word| name.contains(word) || tag.contains(word))
        || (is_for_language && ends_in_number(name))
        || (is_any(NON_ROOT) && !is_any(ROOT))
}

fn ends_in_number(name: &str) -> bool {
    name.rsplit_once('-')
        .is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The id of a user that an image brings along.
pub fn id_of(image: &str, user: &str) -> Option<i64> {
    let reference = Reference::parse(image).ok()?;
    let repository = reference.repository();
    let is_distroless = repository.starts_with("gcr.io/distroless/");
    match user {
        // https://github.com/GoogleContainerTools/distroless/blob/main/common/variables.bzl
        "nonroot" if is_distroless => Some(65532),
        // https://github.com/nodejs/docker-node/blob/main/docs/BestPractices.md#non-root-user
        "node" if repository == "docker.io/library/node" => Some(1000),
        // https://github.com/nginx/docker-nginx
        "nginx" if matches!(&*repository, "docker.io/library/nginx" | "docker.io/nginxinc/nginx-unprivileged") => {
            Some(101)
        }
        // https://wiki.debian.org/SystemGroups
        "nobody" if is_distroless || has_nobody(&repository) => Some(65534),
        _ => None,
    }
}

/// Whether an image is of Debian, Ubuntu, Alpine or `BusyBox`, whose nobody is 65534.
fn has_nobody(repository: &str) -> bool {
    let systems = ["alpine", "busybox", "debian", "golang", "node", "python", "ubuntu"];
    repository.strip_prefix("docker.io/library/").is_some_and(|name| systems.contains(&name))
}

/// Whether an image is there to compile with, by its name (`golang`) or tag (`17-jdk`).
pub fn is_compiler(image: &str) -> bool {
    const NAMES: &[&str] =
        &["buildpack-deps", "emsdk", "gcc", "go-toolset", "golang", "gradle", "haskell", "jdk", "maven", "rust"];
    let Ok(reference) = Reference::parse(image) else { return false };
    let repository = reference.repository();
    let name = repository.rsplit('/').next().unwrap_or_default();
    let has_jdk = reference.tag().is_some_and(|tag| tag.split(['-', '_', '.']).any(|word| word == "jdk"));
    let is_dotnet = repository.starts_with("mcr.microsoft.com/dotnet/") && name == "sdk";
    NAMES.contains(&name) || has_jdk || is_dotnet
}

/// Whether an image is one of Windows, where users have no numbers and paths other forms.
pub fn is_windows(image: &str) -> bool {
    let Ok(reference) = Reference::parse(image) else { return false };
    let tag = reference.tag().unwrap_or_default();
    reference.repository().starts_with("mcr.microsoft.com/windows")
        || ["nanoserver", "windowsservercore", "servercore"].iter().any(|word| tag.contains(word))
}

/// Whether an image is one of Alpine, whose `/bin/sh` is `ash`.
pub fn is_alpine(image: &str) -> bool {
    image.contains("alpine")
}

#[cfg(test)]
mod tests {
    use super::{id_of, is_compiler, is_non_root, is_windows};

    #[test]
    fn images() {
        for (image, expected) in [
            ("gcr.io/distroless/static:nonroot", true),
            ("gcr.io/distroless/static-debian12:debug-nonroot-amd64", true),
            ("gcr.io/distroless/static", false),
            ("nginxinc/nginx-unprivileged:1.27", true),
            ("cgr.dev/chainguard/python:latest-dev", true),
            ("cgr.dev/chainguard/wolfi-base", false),
            ("bitnami/redis:7.2", true),
            ("bitnami/minideb:bookworm", false),
            ("registry.access.redhat.com/ubi9/nodejs-22:1", true),
            ("registry.access.redhat.com/ubi9/ubi-minimal", false),
            ("dhi.io/node:22", true),
            ("dhi.io/node:22-dev", false),
            ("mcr.microsoft.com/dotnet/aspnet:8.0-jammy-chiseled", true),
            ("prom/prometheus", true),
            ("nginx", false),
            ("Invalid", false),
        ] {
            assert_eq!(is_non_root(image), expected, "{image}");
        }
        for (image, expected) in [
            ("golang:1.23", true),
            ("registry.example/base/golang", true),
            ("eclipse-temurin:21-jdk-alpine", true),
            ("eclipse-temurin:21-jre", false),
            ("mcr.microsoft.com/dotnet/sdk:8.0", true),
            ("mcr.microsoft.com/dotnet/aspnet:8.0", false),
            ("node:20", false),
        ] {
            assert_eq!(is_compiler(image), expected, "{image}");
        }
        assert_eq!(id_of("node:22-alpine", "node"), Some(1000));
        assert_eq!(id_of("registry.example/node:22", "node"), None);
        assert_eq!(id_of("gcr.io/distroless/static", "nonroot"), Some(65532));
        assert_eq!(id_of("debian:12", "nobody"), Some(65534));
        assert_eq!(id_of("centos:7", "nobody"), None);
        assert!(is_windows("mcr.microsoft.com/windows/servercore:ltsc2022"));
        assert!(is_windows("golang:1.23-nanoserver-ltsc2022"));
        assert!(!is_windows("mcr.microsoft.com/powershell:ubuntu-16.04"));
    }
}
