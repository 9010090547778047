//! Reads manifests as Kubernetes reads them.
