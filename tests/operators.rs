//! What operators see of a real Envoy, whose statistics and access log are those of envoy.yaml: metrics, audit lines and
//! access logs, and nothing that is anybody's secret.

#[path = "operators/dashboards.rs"]
mod dashboards;
#[path = "operators/gateway.rs"]
mod gateway;
#[path = "operators/leaks.rs"]
mod leaks;
#[path = "operators/metrics.rs"]
mod metrics;
#[path = "operators/records.rs"]
mod records;
