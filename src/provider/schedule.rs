//! When to fetch: refreshes before they are due, back-off after failures, both with jitter.

use std::time::Duration;

use super::CallAnswer;

/// How a document is kept fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timings {
    /// How long a whole fetch may take.
    pub timeout: Duration,
    /// How old it is when it is fetched again.
    pub refresh: Duration,
    /// How old it may be when no fetch succeeds.
    pub max_stale: Duration,
    /// How often unknown key ids may cause a fetch.
    pub cooldown: Duration,
}

/// Numbers that spread workers and proxies; nothing secret depends on them (SplitMix64).
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// A sequence of its own for each seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number; never 0.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).max(1)
    }

    /// Some of a duration: the last `percent` of it are left to chance.
    pub fn shortened(&mut self, duration: Duration, percent: u32) -> Duration {
        let nanos = duration.as_nanos();
        let chance = nanos.saturating_mul(u128::from(percent)).checked_div(100).unwrap_or_default();
        let off = u128::from(self.number()).checked_rem(chance.saturating_add(1)).unwrap_or_default();
        Duration::from_nanos(u64::try_from(nanos.saturating_sub(off)).unwrap_or(u64::MAX))
    }
}

impl Timings {
    /// Those of a key set of which a configuration says nothing.
    pub const DEFAULT: Self = Self {
        timeout: Duration::from_secs(5),
        refresh: Duration::from_secs(600),
        max_stale: Duration::from_secs(3600),
        cooldown: Duration::from_secs(30),
    };

    /// Those of a revocation list of which a configuration says nothing.
    pub const REVOCATIONS: Self =
        Self { refresh: Duration::from_secs(30), max_stale: Duration::from_secs(600), ..Self::DEFAULT };

    /// How long to wait after a successful fetch: at most `refresh`, less where the answer says so (RFC 9111 §5.2.2.1), and
    /// well before the document is too old to be used.
    #[must_use]
    pub fn until_refresh(&self, answer: &CallAnswer, random: &mut Random) -> Duration {
        let usable = self.max_stale.mul_f64(0.75);
        let fresh = freshness(answer).map_or(self.refresh, |fresh| fresh.max(LEAST_REFRESH));
        random.shortened(self.refresh.min(fresh).min(usable), REFRESH_JITTER)
    }

    /// How long to wait after so many failed fetches.
    #[must_use]
    pub fn until_retry(failures: u64, random: &mut Random) -> Duration {
        let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(u32::MAX).min(MOST_DOUBLINGS);
        let delay = FIRST_RETRY.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST_RETRY);
        random.shortened(delay, RETRY_JITTER)
    }
}

/// How long an answer says that it is fresh (RFC 9111 §4.2). An answer that is not to be cached at all says nothing about
/// how long it is good: whole frameworks send `no-store` and `max-age=0` with everything.
fn freshness(answer: &CallAnswer) -> Option<Duration> {
    let text = |name| answer.header(name).and_then(|value| std::str::from_utf8(value).ok());
    let directives = text("cache-control")?.split(',').filter_map(|directive| directive.trim().split_once('='));
    let directives: Vec<(String, &str)> = directives
        .map(|(name, value)| (name.trim_end().to_ascii_lowercase(), value.trim().trim_matches('"')))
        .collect();
    // A gateway is a shared cache (RFC 9111 §5.2.2.10).
    let value = |wanted: &str| directives.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value);
    let seconds: u64 = value("s-maxage").or_else(|| value("max-age"))?.parse().ok()?;
    let age: u64 = text("age").and_then(|age| age.trim().parse().ok()).unwrap_or(0);
    // What came stale from a cache on the way says nothing about the next answer.
    seconds.checked_sub(age).filter(|left| *left > 0).map(Duration::from_secs)
}

/// However short a provider says that its answer is fresh, it is not fetched more often. The configured `cooldown` is no
/// bound here: it is about what clients can cause.
const LEAST_REFRESH: Duration = Duration::from_secs(1);
/// How much of the time to a refresh is left to chance, in percent.
const REFRESH_JITTER: u32 = 20;
/// Short: when a proxy starts, its first fetch may come before it has resolved the provider's name.
const FIRST_RETRY: Duration = Duration::from_millis(100);
/// So that service resumes soon after the provider does.
const LONGEST_RETRY: Duration = Duration::from_secs(10);
const RETRY_JITTER: u32 = 25;
const MOST_DOUBLINGS: u32 = 16;

/// The longest time that a schedule may name: one beyond it is the work of a clock that was set back.
pub(super) const LONGEST_WAIT: Duration = LONGEST_RETRY;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::test;

    const TIMINGS: Timings = Timings::DEFAULT;

    fn answer(headers: &[(&str, &str)]) -> CallAnswer {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
        CallAnswer { headers: headers.collect(), body: Vec::new() }
    }

    /// The shortest and the longest of many.
    fn spread(mut sample: impl FnMut(&mut Random) -> Duration) -> (u64, u64) {
        let mut random = Random::new(7);
        let samples: Vec<u64> = (0..2000).map(|_| sample(&mut random).as_millis() as u64).collect();
        (*samples.iter().min().unwrap(), *samples.iter().max().unwrap())
    }

    test!(keys_are_refreshed_before_they_are_due, {
        let (least, most) = spread(|random| TIMINGS.until_refresh(&answer(&[]), random));
        assert!((480_000..490_000).contains(&least) && (590_000..=600_000).contains(&most), "{least} {most}");
        let short = Timings { max_stale: Duration::from_secs(60), ..TIMINGS };
        let (least, most) = spread(|random| short.until_refresh(&answer(&[]), random));
        assert!(least >= 36_000 && most <= 45_000, "{least} {most}");
    });

    test!(an_answer_may_shorten_the_refresh_and_never_lengthens_it, {
        for (headers, longest) in [
            (vec![("cache-control", "public, max-age=15, stale-if-error=86400")], 15_000),
            (vec![("cache-control", "max-age=\"15\""), ("age", "5")], 10_000),
            (vec![("cache-control", "S-MaxAge=20, max-age=5")], 20_000),
            (vec![("cache-control", "max-age=15"), ("age", "100")], 600_000),
            (vec![("cache-control", "max-age=1")], 1000),
            (vec![("cache-control", "max-age=86400")], 600_000),
            (vec![("cache-control", "no-store, max-age=0")], 600_000),
            (vec![("cache-control", "max-age=soon")], 600_000),
            (vec![("cache-control", "no-cache")], 600_000),
        ] {
            let (least, most) = spread(|random| TIMINGS.until_refresh(&answer(&headers), random));
            assert!(
                least >= longest * 8 / 10 && most <= longest && most > longest * 9 / 10,
                "{headers:?} {least} {most}"
            );
        }
    });

    test!(failures_back_off_with_jitter, {
        for (failures, longest) in [(0, 100), (1, 100), (2, 200), (3, 400), (7, 6400), (8, 10_000), (u64::MAX, 10_000)]
        {
            let (least, most) = spread(|random| Timings::until_retry(failures, random));
            assert!(least >= longest * 3 / 4 && most <= longest, "{failures}: {least} {most}");
        }
    });
}
