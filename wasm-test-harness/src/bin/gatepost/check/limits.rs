//! Warnings about rate limits that hold nobody up.

use gatepost::limit::{By, rate::Rate};

use super::code::Code;
use super::warning::{Subject, Warnings};
use crate::durations::shown;

pub fn review(subject: &Subject<'_>, warnings: &mut Warnings) {
    let all = subject.view.gateway.rate_limit.as_ref();
    if let Some(limit) = all {
        review_rate(limit.rate, limit.by, "rate_limit", warnings);
    }
    for route in subject.view.routes() {
        let Some(limit) = &route.compiled.rate_limit else { continue };
        let place = format!("{}.rate_limit", route.place());
        if all.is_some_and(|all| all.by == limit.by && never_reached(limit.rate, all.rate)) {
            warnings.push(
                Code::LimitWithoutEffect,
                place,
                format!("{} pass here, and no more by the top-level `rate_limit`", told(limit.rate)),
            );
        } else {
            review_rate(limit.rate, limit.by, &place, warnings);
        }
    }
}

fn review_rate(rate: Rate, by: By, place: &str, warnings: &mut Warnings) {
    // A route's callers may be many.
    if by != By::Route && per_second(rate) > MOST_OF_ONE_CALLER {
        warnings.push(Code::WeakLimit, place, format!("one caller may send {}", told(rate)));
    }
}

/// Whether the wider limit, which counts the same requests and more, always lets fewer pass.
fn never_reached(narrow: Rate, wide: Rate) -> bool {
    per_second(narrow) >= per_second(wide) && narrow.burst >= wide.burst
}

fn per_second(rate: Rate) -> f64 {
    f64::from(rate.requests.get()) / rate.per.as_secs_f64()
}

fn told(rate: Rate) -> String {
    format!("{} requests in {}", rate.requests, shown(rate.per))
}

/// Beyond that a limit holds up no guessing and no flood: a person makes some ten, a busy service some hundred.
const MOST_OF_ONE_CALLER: f64 = 1000.0;
