//! The images of a cluster's pods.

use gatehouse_policy::tag::{Unpinned, floating_tags, unpinned};
use gatehouse_policy::{Exempt, Path, Report, image};

use crate::cluster::Spec;
use crate::{IMAGE, RedisCluster};

pub fn judge(spec: &Spec<'_>, settings: &RedisCluster, exempt: &Exempt, report: &mut Report<'_>) {
    let floating = floating_tags();
    let mut judge = |whose: &str, name: &str, text: &str, place: &dyn Fn() -> Path| {
        if exempt.container(name, text) {
            return;
        }
        let fault = match image::read(text) {
            Ok(reference) => match unpinned(&reference, &floating, Some(settings.precision)) {
                Some(Unpinned::Untagged(fault) | Unpinned::Floating(fault)) => format!("image {text} {fault}"),
                None => return,
            },
            Err(fault) => fault,
        };
        report.add(&IMAGE, place, || format!("{whose}: {fault}"));
    };
    let at = |field: &'static str| Path::of(&["spec", field, "image"]);
    judge("redis", "", spec.kubernetes_config.image, &|| at("kubernetesConfig"));
    if spec.redis_exporter.enabled {
        judge("redisExporter", "redis-exporter", spec.redis_exporter.image, &|| at("redisExporter"));
    }
    if spec.init_container.enabled {
        judge("initContainer", "", spec.init_container.image, &|| at("initContainer"));
    }
    for (index, sidecar) in spec.sidecars.iter().enumerate() {
        let place = || Path::of(&["spec", "sidecars"]).index(index).key("image");
        judge(&format!("sidecar {}", sidecar.name), sidecar.name, sidecar.image, &place);
    }
}
