//! What `deploy/` has is good as it stands: objects by the schemas of their own APIs, Envoy's files by Envoy, gatepost's
//! configurations by gatepost, and all of them by requests.

#[path = "deploy/compose.rs"]
mod compose;
#[path = "deploy/configurations.rs"]
mod configurations;
#[path = "deploy/gateways.rs"]
mod gateways;
#[path = "deploy/manifests.rs"]
mod manifests;
#[path = "deploy/objects.rs"]
mod objects;
#[path = "deploy/schemas.rs"]
mod schemas;
