//! Hosts the gatepost filter.
