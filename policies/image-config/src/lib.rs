//! Images run as a user whom the kubelet knows not to be root, hold no secrets, and are built of what was tested.
//!
//! In a cluster that is the image's configuration, which the policy server reads; in the checker a Dockerfile, which says more.

#[cfg(not(target_arch = "wasm32"))]
mod dockerfile;
mod pod;

use gatehouse_policy::tag::{self, Precision};
use gatehouse_policy::{Context, Ids, Path, ReadError, Report, Request, Settings, policy, rules};
#[cfg(not(target_arch = "wasm32"))]
use gatehouse_policy::{File, FileError};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::pod::Pod;

rules! {
    /// Finds an image that runs as root, or as a user who is not one of `users`.
    ///
    /// In a Dockerfile that is the last `USER` of the last stage, or of the stages that it is `FROM`; a variable stands for its
    /// default. Without any `USER` an image runs as its base image does, which is root but for those known to run as somebody
    /// else: Bitnami's, Chainguard's, those with `nonroot` or `unprivileged` in their name or tag, and some others. A user by
    /// name is the one that `adduser` or `useradd` makes, in these stages or in one that `/etc/passwd` is copied from; one whose
    /// number cannot be told is left to the rule `numeric-user`.
    ///
    /// In a pod it is the user in the configuration of a container's image, where neither container nor pod has a `runAsUser`.
    /// In the checker an image is known only if it is in an OCI layout. Where `hostUsers: false` gives the pod a user namespace
    /// of its own, and `users` is not set, it may be root.
    ///
    /// Images and pods of Windows are not judged.
    ///
    /// ## Why
    /// Root in a container is root for the kernel. A pod can set `runAsUser`, but whoever forgets it runs as what the image
    /// says.
    ///
    /// ## Example
    /// ```dockerfile
    /// FROM alpine:3.20.3
    /// COPY server /usr/bin/
    /// CMD ["server"]
    /// ```
    ///
    /// ## Use instead
    /// ```dockerfile
    /// FROM alpine:3.20.3
    /// COPY server /usr/bin/
    /// USER 1001
    /// CMD ["server"]
    /// ```
    ///
    /// ## Fix
    /// In a Dockerfile, where `users` is a single id, sets it. Not safe: it changes who runs. None where the user could then not
    /// enter the `WORKDIR` or listen on a port.
    ///
    /// ## Options
    /// `users`: ids, and ranges of them in quotes.
    ///
    /// ## Reference
    /// hadolint's DL3002, which also looks at stages that never run;
    /// <https://docs.docker.com/reference/dockerfile/#user>
    USER = "user": deny;

    /// Finds an image whose user is a name: in a Dockerfile, and in a pod where there is no `runAsUser`. In a pod without
    /// `runAsNonRoot: true` it is a warning, for the kubelet does not look at the user then.
    ///
    /// ## Why
    /// The kubelet does not look into `/etc/passwd` of an image. With `runAsNonRoot: true` and no `runAsUser` it refuses to start
    /// the container, since the name could be root's: "image has non-numeric user, cannot verify user is non-root".
    ///
    /// ## Example
    /// ```dockerfile
    /// RUN adduser -D -u 1001 herald
    /// USER herald
    /// ```
    ///
    /// ## Use instead
    /// ```dockerfile
    /// RUN adduser -D -u 1001 herald
    /// USER 1001
    /// ```
    ///
    /// ## Fix
    /// In a Dockerfile that makes the user with an id (`adduser -u`, `useradd --uid`, a line for `/etc/passwd`), writes the id.
    /// Safe: it is the same user, with the same groups. Not safe where the id is an argument of the build, which may be another.
    ///
    /// ## Reference
    /// `verifyRunAsNonRoot` in
    /// <https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/kuberuntime/security_context.go>; hadolint's DL3066
    NUMERIC_USER = "numeric-user": deny;

    /// Finds a Dockerfile without a `HEALTHCHECK`, or with `HEALTHCHECK NONE`.
    ///
    /// ## Why
    /// Docker and Compose know by it whether the program works. Kubernetes does not read it: there the probes of the pod count,
    /// which required-probes judges.
    ///
    /// ## Use instead
    /// ```dockerfile
    /// HEALTHCHECK CMD wget -q --spider http://localhost:8000/health || exit 1
    /// ```
    ///
    /// ## Reference
    /// hadolint's DL3057, which lets `NONE` pass; <https://docs.docker.com/reference/dockerfile/#healthcheck>
    HEALTHCHECK = "healthcheck": deny;

    /// Finds, in a Dockerfile, an `EXPOSE` of a port below 1024 in an image that runs as a user other than root. Not where a
    /// program is given the capability to listen there (`setcap cap_net_bind_service`). And, in a pod, a `containerPort` that the
    /// image does not expose with that protocol, if it exposes any; low ports are found there by `run-as-nonroot/privileged-port`.
    ///
    /// ## Why
    /// Such a container may start and then fail to listen: it depends on the node, for containerd opens these ports to
    /// everyone since version 2.0 and not before. Let the program listen on 8080, and leave the low port to the Service.
    /// A port that the image does not expose is mostly one on which nobody listens.
    ///
    /// ## Example
    /// ```dockerfile
    /// USER 1001
    /// EXPOSE 80
    /// ```
    ///
    /// ## Use instead
    /// ```dockerfile
    /// USER 1001
    /// EXPOSE 8080
    /// ```
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster/#safe-and-unsafe-sysctls>
    EXPOSE = "expose": warn;

    /// Finds an `ENV` or an `ARG` that holds a secret: by its name and value, as the rule `literal` of secret-env tells them, or
    /// by the value alone, as its rules `credentials` and `token` do. Also an `ENV` that takes an argument of the build under
    /// such a name, and, as a warning, an `ARG` with such a name and no value. Every stage counts: the Dockerfile itself is in
    /// version control. In a pod it is a container whose image has such a variable in its configuration.
    ///
    /// ## Why
    /// Whoever can pull the image reads its variables, and its history with the arguments of each `RUN`. What a stage that is
    /// thrown away was given is in the build's cache and in its provenance.
    ///
    /// ## Example
    /// ```dockerfile
    /// ARG NPM_TOKEN
    /// RUN npm ci
    /// ENV DB_PASSWORD=correct-horse
    /// ```
    ///
    /// ## Use instead
    /// ```dockerfile
    /// RUN --mount=type=secret,id=npm,env=NPM_TOKEN npm ci
    /// ```
    /// and a Secret, which the container gets when it starts.
    ///
    /// ## Reference
    /// <https://docs.docker.com/build/building/secrets/>,
    /// <https://docs.docker.com/reference/build-checks/secrets-used-in-arg-or-env/>, hadolint's DL3064, which goes by names alone
    SECRET = "secret": deny;

    /// Finds an image in `FROM`, `COPY --from` or `RUN --mount=from=` that has neither a tag nor a digest, or a tag that floats:
    /// what pinned-images finds in a pod. An `ARG` stands for its default; an image that only the build's arguments tell is not
    /// judged, nor is another stage, `scratch`, or an image that is `exempt`. It is a warning where the text is no image
    /// reference, and where `--from=` has a word alone, which may be the name of a build context.
    ///
    /// ## Why
    /// Two builds of the same commit give two images, and what was tested is not what runs.
    ///
    /// ## Example
    /// ```dockerfile
    /// FROM golang:1.23-alpine
    /// ```
    ///
    /// ## Use instead
    /// ```dockerfile
    /// FROM golang:1.23.4-alpine3.20
    /// ```
    ///
    /// ## Options
    /// `floatingTags`, `precision`
    ///
    /// ## Reference
    /// hadolint's DL3006 and DL3007
    BASE = "base": deny;

    /// Finds a `WORKDIR` that is `/root` or below in an image that runs as a user other than root. Not where the Dockerfile gives
    /// `/root` another mode or owner.
    ///
    /// ## Why
    /// `/root` has the mode 0700 in nearly every image, so that the user cannot even enter it: the program is not found, or
    /// cannot read what lies beside it.
    ///
    /// ## Example
    /// ```dockerfile
    /// WORKDIR /root/
    /// COPY herald-server .
    /// USER 1001
    /// CMD ["./herald-server"]
    /// ```
    ///
    /// ## Use instead
    /// ```dockerfile
    /// WORKDIR /app
    /// ```
    WORKDIR = "workdir": deny;

    /// Finds a compiler in the image that runs: a last stage that is `FROM` an image to compile in (`golang`, `rust`, `maven`, a
    /// tag with `jdk`), or one that installs the package of a compiler and does not remove it.
    ///
    /// ## Why
    /// It is no use there but to whoever breaks in, and most of the image's size and of its known vulnerabilities.
    ///
    /// ## Example
    /// ```dockerfile
    /// FROM golang:1.23.4
    /// COPY . .
    /// RUN go build -o /server .
    /// CMD ["/server"]
    /// ```
    ///
    /// ## Use instead
    /// ```dockerfile
    /// FROM golang:1.23.4 AS build
    /// COPY . .
    /// RUN CGO_ENABLED=0 go build -o /server .
    ///
    /// FROM gcr.io/distroless/static-debian12:nonroot
    /// COPY --from=build /server /server
    /// CMD ["/server"]
    /// ```
    ///
    /// ## Reference
    /// <https://docs.docker.com/build/building/multi-stage/>
    MULTI_STAGE = "multi-stage": warn;

    /// Finds an `ADD` of files and folders, which `COPY` brings as well. A URL, a repository and an archive, which `ADD`
    /// unpacks, are no findings.
    ///
    /// ## Why
    /// `ADD` unpacks what looks like an archive and fetches what looks like a URL: what ends up in the image depends on what
    /// somebody puts into the folder.
    ///
    /// ## Fix
    /// Writes `COPY`, where no source is for `ADD`. Not safe: an archive would be unpacked whatever it is called.
    ///
    /// ## Reference
    /// hadolint's DL3020; <https://docs.docker.com/build/building/best-practices/#add-or-copy>
    ADD = "add": warn;

    /// Finds a `CMD` or `ENTRYPOINT` in shell form, of those that the image runs with. Not where the script starts with `exec`,
    /// or `SHELL` says that a shell is meant. `HEALTHCHECK CMD` may be in shell form, which `|| exit 1` needs.
    ///
    /// ## Why
    /// A shell is the container's first process then, and passes no SIGTERM on: the program is not told to stop, and is killed
    /// once `terminationGracePeriodSeconds` are over.
    ///
    /// ## Example
    /// ```dockerfile
    /// CMD node server.js
    /// ```
    ///
    /// ## Use instead
    /// ```dockerfile
    /// CMD ["node", "server.js"]
    /// ```
    ///
    /// ## Fix
    /// Writes an array, where the command has nothing that a shell reads. Not safe: no shell runs it then.
    ///
    /// ## Reference
    /// hadolint's DL3025; <https://docs.docker.com/reference/build-checks/json-args-recommended/>
    EXEC_FORM = "exec-form": warn;

    /// Finds a `RUN` with a pipe in a shell that is not told to fail with it: neither does `SHELL` set `-o pipefail`, nor does
    /// the script. `echo` and its like before a pipe do not fail. Only `bash`, `zsh`, `ash` and `ksh` know the option.
    ///
    /// ## Why
    /// Of a pipe only the last command counts: `curl … | tar xz` that fetches nothing goes on, and the build succeeds without
    /// what it was to bring.
    ///
    /// ## Example
    /// ```dockerfile
    /// RUN curl -fsSL https://example.com/tool.tar.gz | tar xz
    /// ```
    ///
    /// ## Use instead
    /// ```dockerfile
    /// SHELL ["/bin/bash", "-o", "pipefail", "-c"]
    /// RUN curl -fsSL https://example.com/tool.tar.gz | tar xz
    /// ```
    ///
    /// ## Reference
    /// hadolint's DL4006; <https://docs.docker.com/build/building/best-practices/#using-pipes>
    PIPEFAIL = "pipefail": warn;

    /// Finds a `RUN` of one command right behind another one, with the same flags.
    ///
    /// ## Why
    /// Each is a layer of its own, and what the second removes of the first stays in the image.
    ///
    /// ## Reference
    /// hadolint's DL3059
    CONSECUTIVE_RUNS = "consecutive-runs": off;
}

/// The settings of image-config.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ImageConfig {
    /// The users that images may run as: ids, and ranges such as `"2000-2999"`. Never 0. Absent: any but 0.
    users: Option<Ids>,
    /// Tags that float, alone (`latest`) or as a word beside others (`latest-alpine`). They replace the default ones.
    floating_tags: Vec<String>,
    /// How much of a version the tag of a base image must name: `major`, `minor` or `patch`. Absent: only `floatingTags` float.
    precision: Option<Precision>,
}

impl Default for ImageConfig {
    fn default() -> Self {
        Self { users: None, floating_tags: tag::floating_tags(), precision: None }
    }
}

impl Settings for ImageConfig {
    fn validate(&self) -> Result<(), ReadError> {
        let refuse = |path: Path, reason: &str| Err(ReadError { path, reason: reason.to_owned() });
        if self.users.as_ref().is_some_and(|users| users.contains(0)) {
            return refuse(
                Path::of(&["users"]),
                "0 is root, whom this policy never allows; exempt the images that need it",
            );
        }
        for (index, tag) in self.floating_tags.iter().enumerate() {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
            if tag.is_empty() || !tag.bytes().all(allowed) {
                let path = Path::of(&["floatingTags"]).index(index);
                return refuse(path, "expected a tag such as latest; it is found among other words too");
            }
        }
        Ok(())
    }
}

policy!(ImageConfig, review, subresources: ["ephemeralcontainers"], asks: [], files: review_file);

fn review(request: &Request<'_>, context: &Context<'_, ImageConfig>, report: &mut Report<'_>) -> Result<(), ReadError> {
    for pod in Pod::read(request, context.exempt)? {
        pod::judge(&pod, context.settings, report);
    }
    Ok(())
}

#[cfg(not(target_arch = "wasm32"))]
fn review_file(file: &File<'_>, context: &Context<'_, ImageConfig>, report: &mut Report<'_>) -> Result<(), FileError> {
    dockerfile::review(file, context, report)
}
