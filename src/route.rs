//! From a request's method, authority and path to the one route that decides about it.

pub mod path;
pub mod table;
pub mod template;
