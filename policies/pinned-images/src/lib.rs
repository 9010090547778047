//! Images are the ones that were tested, from registries that the team trusts.

mod extra;
mod placeholder;
mod pull_policy;
mod registry;

use std::fmt::Display;

use gatehouse_policy::image::{self, Reference, quoted};
use gatehouse_policy::tag::{self, Precision, Unpinned};
use gatehouse_policy::{Context, Edit, Path, ReadError, Report, Request, Settings, glob, policy, rules};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::extra::ExtraImages;
use crate::placeholder::Placeholders;
use crate::pull_policy::PullPolicy;
use crate::registry::Registry;

rules! {
    /// Finds an image with neither a tag nor a digest.
    ///
    /// ## Why
    /// It means `latest`, whatever that is when a node pulls it: two replicas of one Deployment may run different code,
    /// and a rollback brings nothing back.
    ///
    /// ## Example
    /// ```yaml
    /// image: herald/backend
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// image: herald/backend:v2.1.0
    /// ```
    TAG = "tag": deny;

    /// Finds a tag that is moved from build to build: one of `floatingTags` (`latest`, `stable-alpine`) or, with
    /// `precision`, one that names less of a version (under `patch`, `2.1` and `7.2-alpine`). Beside a number of the image's
    /// own, only words that mean the newest build decide (`2022-latest`, `1.2-nightly`); `dev-2` and `1.2-stable` are as
    /// precise as that number. A commit, a date, a build number do not float, nor does any tag beside a digest.
    ///
    /// ## Why
    /// What runs is not what was tested, and changes when a pod moves to another node.
    ///
    /// ## Example
    /// ```yaml
    /// image: fluent/fluent-bit:2.1
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// image: fluent/fluent-bit:2.1.10
    /// ```
    ///
    /// ## Options
    /// `floatingTags`, `precision`
    FLOATING = "floating": deny;

    /// Finds an image without a digest.
    ///
    /// ## Why
    /// A tag that should not move can be moved all the same; a digest cannot. Tools such as Renovate keep digests up to
    /// date, and the tag beside it readable.
    ///
    /// ## Use instead
    /// ```yaml
    /// image: herald/backend:v2.1.0@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    /// ```
    DIGEST = "digest": off;

    /// Finds an image from a registry or a repository that is not in the setting `registries`. Without it every one is
    /// accepted.
    ///
    /// ## Why
    /// Whoever may push to a repository may run code wherever its images run.
    ///
    /// Names are compared in their full form: `redis` is `docker.io/library/redis`.
    REGISTRY = "registry": deny;

    /// Finds an effective pull policy other than the setting `pullPolicy`. Where none is written it is the API's
    /// default: `Always` for the tag `latest`, written or implied, and otherwise `IfNotPresent`.
    ///
    /// ## Why
    /// With `IfNotPresent` a node goes on running what it has under a tag, and may run a private image for whoever asks
    /// for it; with `Always` it asks the registry each time.
    ///
    /// ## Fix
    /// Sets it. Not safe: a node may pull another image than the one it has, or fail to pull any.
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/containers/images/#image-pull-policy>
    PULL_POLICY = "pull-policy": deny;

    /// Finds an image that is not an image reference: none at all, or a text that no runtime can pull.
    ///
    /// ## Why
    /// The API server accepts nearly any text; the pod then waits for ever with `InvalidImageName`.
    ///
    /// Only a pod template may have an image volume without a reference, for a controller to fill in; the pod that is
    /// made of it is judged.
    ///
    /// What stands for an image until a cluster puts one in its place is judged by no rule for names and tags, where the object
    /// asks for that: `auto` of Istio's own containers (`istio-proxy`) in a pod that has the label
    /// `sidecar.istio.io/inject: "true"` or `istio.io/rev`, or the annotation `inject.istio.io/templates`; and a blank image in a
    /// pod template of which OpenShift's triggers set it (`image.openshift.io/triggers`, or those of a DeploymentConfig). The
    /// pods that come of it are judged by what they have then. `ko://…` is no image: it is for `ko resolve` to replace before
    /// anything is applied.
    ///
    /// ## Example
    /// ```yaml
    /// image: Herald/Backend:v2.1.0
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// image: herald/backend:v2.1.0
    /// ```
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/containers/images/#image-names>
    REFERENCE = "reference": deny;
}

/// The settings of pinned-images.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct PinnedImages {
    /// Tags that float, alone (`latest`) or as a word beside others (`latest-alpine`). They replace the default ones.
    floating_tags: Vec<String>,
    /// How much of a version a tag must name: `major`, `minor` or `patch`. Absent: only `floatingTags` float.
    precision: Option<Precision>,
    /// Where images may come from: `ghcr.io` for all of a registry, `ghcr.io/acme/*` for a part. Both sides of the first
    /// slash are globs. Absent: from anywhere.
    registries: Option<Vec<Registry>>,
    /// The pull policy that every image must have: `Always`, `IfNotPresent` or `Never`. Absent: any.
    pull_policy: Option<PullPolicy>,
    /// Images in other kinds of objects, such as
    /// `{group: redis.redis.opstreelabs.in, kind: RedisCluster, paths: [spec.kubernetesConfig.image]}`. The policy must be
    /// installed with these kinds in its `rules`. Their pull policy is not judged.
    extra_image_paths: Vec<ExtraImages>,
}

impl Default for PinnedImages {
    fn default() -> Self {
        Self {
            floating_tags: tag::floating_tags(),
            precision: None,
            registries: None,
            pull_policy: None,
            extra_image_paths: Vec::new(),
        }
    }
}

impl Settings for PinnedImages {
    fn validate(&self) -> Result<(), ReadError> {
        let refuse = |path: Path, reason: &str| Err(ReadError { path, reason: reason.to_owned() });
        for (index, tag) in self.floating_tags.iter().enumerate() {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
            if tag.is_empty() || !tag.bytes().all(allowed) {
                let path = Path::of(&["floatingTags"]).index(index);
                return refuse(path, "expected a tag such as latest; it is found among other words too");
            }
        }
        if self.registries.as_ref().is_some_and(Vec::is_empty) {
            return refuse(Path::of(&["registries"]), "expected at least one; leave the field out to accept every one");
        }
        for (index, extra) in self.extra_image_paths.iter().enumerate() {
            extra.validate().map_err(|error| error.below(&Path::of(&["extraImagePaths"]).index(index)))?;
        }
        Ok(())
    }
}

policy!(PinnedImages, review, subresources: ["ephemeralcontainers"]);

type Pod<'r> = gatehouse_policy::Pod<'r, PodFields<'r>, ContainerFields<'r>>;
type Container<'r> = gatehouse_policy::Container<'r, ContainerFields<'r>>;

#[derive(Default, Deserialize)]
#[serde(default)]
struct PodFields<'r> {
    #[serde(borrow)]
    volumes: Vec<Volume<'r>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Volume<'r> {
    name: &'r str,
    #[serde(borrow)]
    image: Option<ImageVolume<'r>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ImageVolume<'r> {
    reference: &'r str,
    pull_policy: &'r str,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ContainerFields<'r> {
    image_pull_policy: &'r str,
}

/// An image that an object names.
struct Image<'r> {
    /// Whose it is, for messages: `container app`.
    whose: &'r dyn Display,
    text: &'r str,
    path: Path,
}

fn review(
    request: &Request<'_>,
    context: &Context<'_, PinnedImages>,
    report: &mut Report<'_>,
) -> Result<(), ReadError> {
    let settings = context.settings;
    let placeholders = Placeholders::of(request)?;
    for (number, pod) in Pod::read(request, context.exempt)?.iter().enumerate() {
        let are_injected = placeholders.are_injected(number, pod)?;
        for container in pod.containers() {
            let image = Image { whose: container, text: container.image, path: container.at(&["image"]) };
            let is_replaced = are_injected && placeholder::is_auto(container) || placeholders.is_set(pod, container);
            if !is_replaced {
                judge(&image, settings, report);
            }
            judge_pull_policy(
                &image,
                container.image_pull_policy,
                container.at(&["imagePullPolicy"]),
                settings,
                report,
            );
        }
        // Whoever attaches a debugger cannot change the pod's volumes.
        if pod.subresource().is_empty() {
            judge_volumes(pod, context, report);
        }
    }
    if request.subresource.is_empty() {
        judge_extra(request, context, report)?;
    }
    Ok(())
}

/// Image volumes (<https://kubernetes.io/docs/concepts/storage/volumes/#image>).
fn judge_volumes(pod: &Pod<'_>, context: &Context<'_, PinnedImages>, report: &mut Report<'_>) {
    let settings = context.settings;
    for (index, volume) in pod.volumes.iter().enumerate() {
        let Some(source) = &volume.image else { continue };
        if glob::any(&context.exempt.images, source.reference) {
            continue;
        }
        let path = pod.at(&["volumes"]).index(index).key("image");
        let whose = if volume.name.is_empty() { format!("volume {index}") } else { format!("volume {}", volume.name) };
        let image = Image { whose: &whose, text: source.reference, path: path.clone().key("reference") };
        // "This field is optional to allow higher level config management to default or override container images in
        // workload controllers" (API reference of ImageVolumeSource), which holds for templates only.
        if !source.reference.is_empty() || pod.kind() == "Pod" {
            judge(&image, settings, report);
        }
        judge_pull_policy(&image, source.pull_policy, path.key("pullPolicy"), settings, report);
    }
}

fn judge_extra(
    request: &Request<'_>,
    context: &Context<'_, PinnedImages>,
    report: &mut Report<'_>,
) -> Result<(), ReadError> {
    let settings = context.settings;
    for extra in settings.extra_image_paths.iter().filter(|extra| request.is(&extra.group, &extra.kind)) {
        for path in &extra.paths {
            for (path, text) in path.find(request.object)? {
                if !glob::any(&context.exempt.images, text) {
                    judge(&Image { whose: &path, text, path: path.clone() }, settings, report);
                }
            }
        }
    }
    Ok(())
}

fn judge(image: &Image<'_>, settings: &PinnedImages, report: &mut Report<'_>) {
    match image::read(image.text) {
        Ok(reference) => judge_reference(image, &reference, settings, report),
        Err(fault) => {
            report.add(&REFERENCE, || image.path.clone(), || format!("{}: {fault}", image.whose));
        }
    }
}

fn judge_reference(image: &Image<'_>, reference: &Reference<'_>, settings: &PinnedImages, report: &mut Report<'_>) {
    let mut add = |rule, fault: &str| {
        report.add(rule, || image.path.clone(), || format!("{}: image {} {fault}", image.whose, image.text));
    };
    match tag::unpinned(reference, &settings.floating_tags, settings.precision) {
        Some(Unpinned::Untagged(fault)) => add(&TAG, &fault),
        Some(Unpinned::Floating(fault)) => add(&FLOATING, &fault),
        None => {}
    }
    if reference.digest().is_none() {
        add(&DIGEST, "has no digest, expected @sha256: and 64 digits at its end");
    }
    if let Some(registries) = &settings.registries
        && !registries.iter().any(|registry| registry.matches(reference))
    {
        let expected: Vec<&str> = registries.iter().map(Registry::as_str).collect();
        add(&REGISTRY, &format!("is {}, expected one of {}", reference.repository(), expected.join(", ")));
    }
}

fn judge_pull_policy(image: &Image<'_>, written: &str, path: Path, settings: &PinnedImages, report: &mut Report<'_>) {
    let Some(wanted) = settings.pull_policy.map(PullPolicy::name) else { return };
    let effective = if written.is_empty() {
        let default = PullPolicy::by_default(image.text).name();
        if default == wanted {
            return;
        }
        format!("{default} by default")
    } else if written == wanted {
        return;
    } else {
        quoted(written)
    };
    let message = || format!("{}: the pull policy is {effective}, expected {wanted}", image.whose);
    report.add(&PULL_POLICY, path.clone(), message).unsafe_fix([Edit::set(path, wanted)]);
}
