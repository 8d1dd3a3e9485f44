//! Providers on the hosts whose clock can be set: a script answers the calls, in simulated time.

use std::time::Duration;

use crate::provider::{Answer, Asked, Failure, Script};

/// A host's engine or module, which ticks and makes calls.
pub(super) trait Machine {
    /// How it knows a call again.
    type Call;
    type Error;

    /// Moves its clock, and fires a tick where it asked for ticks.
    fn advance(&mut self, by: Duration) -> Result<(), Self::Error>;

    /// The time between two ticks that it asks for now, if it asks for ticks.
    fn period(&mut self) -> Option<Duration>;

    /// The calls that it has made since this was last asked.
    fn calls(&mut self) -> Vec<Outgoing<Self::Call>>;

    /// Answers one.
    fn answer(&mut self, call: Self::Call, reply: Reply) -> Result<(), Self::Error>;
}

/// A call on its way to a provider.
pub(super) struct Outgoing<C> {
    pub(super) call: C,
    pub(super) asked: Asked,
    pub(super) timeout: Duration,
}

/// What comes back, of Envoy's making where the provider failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reply {
    /// `:status` included; none at all where an answer has begun and does not end.
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Vec<u8>,
}

/// Time, and the calls under way in it.
pub(super) struct Simulation<C> {
    pub(super) script: Script,
    elapsed: Duration,
    under_way: Vec<(Duration, C, Reply)>,
}

impl<C> Simulation<C> {
    pub(super) fn new(script: Script) -> Self {
        Self { script, elapsed: Duration::ZERO, under_way: Vec::new() }
    }

    /// Lets time pass, tick by tick; the ticks of a very long time are further apart.
    pub(super) fn advance<M: Machine<Call = C>>(&mut self, machine: &mut M, by: Duration) -> Result<(), M::Error> {
        let end = self.elapsed + by;
        while self.elapsed < end {
            let period = machine.period().map_or(by, |period| period.max(by / MOST_TICKS));
            self.pass(machine, period.min(end - self.elapsed))?;
        }
        Ok(())
    }

    /// Lets time pass until something is settled; false where it never is.
    pub(super) fn settle<M: Machine<Call = C>>(
        &mut self,
        machine: &mut M,
        mut is_settled: impl FnMut(&mut M) -> bool,
    ) -> Result<bool, M::Error> {
        let end = self.elapsed + PATIENCE;
        self.exchange(machine)?;
        while !is_settled(machine) {
            let Some(period) = machine.period().filter(|_| self.elapsed < end) else { return Ok(false) };
            self.pass(machine, period)?;
        }
        Ok(true)
    }

    /// One tick, sooner where an answer is due.
    fn pass<M: Machine<Call = C>>(&mut self, machine: &mut M, by: Duration) -> Result<(), M::Error> {
        let due = self.under_way.iter().map(|(due, ..)| due.saturating_sub(self.elapsed)).min();
        let by = due.map_or(by, |due| due.min(by));
        self.elapsed += by;
        machine.advance(by)?;
        self.exchange(machine)
    }

    /// Takes the machine's calls, and answers those that are due, which may make it call again.
    fn exchange<M: Machine<Call = C>>(&mut self, machine: &mut M) -> Result<(), M::Error> {
        loop {
            for Outgoing { call, asked, timeout } in machine.calls() {
                let (after, reply) = reply(&self.script.ask(asked), timeout);
                self.under_way.push((self.elapsed + after, call, reply));
            }
            let Some(at) = self.under_way.iter().position(|(due, ..)| *due <= self.elapsed) else { return Ok(()) };
            let (_, call, reply) = self.under_way.remove(at);
            machine.answer(call, reply)?;
        }
    }
}

/// What the host makes of an answer, and after which time.
fn reply(answer: &Answer, timeout: Duration) -> (Duration, Reply) {
    let failed = |status: &str, body: &str| {
        let field = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
        let length = body.len().to_string();
        let headers = [field(":status", status), field("content-length", &length), field("content-type", "text/plain")];
        Reply { headers: headers.to_vec(), body: body.as_bytes().to_vec() }
    };
    if answer.failure == Some(Failure::Timeout) || answer.duration() > timeout {
        return (timeout, failed("504", "upstream request timeout"));
    }
    let reply = match answer.failure {
        Some(Failure::Truncated) => Reply::default(),
        Some(_) => failed("503", "upstream connect error or disconnect/reset before headers"),
        None => {
            let field = |(name, value): &(String, String)| (name.to_ascii_lowercase(), value.clone().into_bytes());
            let mut headers = vec![(":status".to_owned(), answer.status.to_string().into_bytes())];
            headers.extend(answer.headers.iter().map(field));
            headers.push(("content-length".to_owned(), answer.body.len().to_string().into_bytes()));
            Reply { headers, body: answer.body.to_vec() }
        }
    };
    (answer.duration(), reply)
}

/// What a request may wait at the most: longer than any provider's time-out in the scenarios.
const PATIENCE: Duration = Duration::from_secs(60);
const MOST_TICKS: u32 = 20_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls again after every answer that is no 200.
    #[derive(Default)]
    struct Caller {
        time: Duration,
        ticks: u32,
        calling: bool,
        answered: Vec<(Duration, Vec<u8>)>,
    }

    impl Machine for Caller {
        type Call = ();
        type Error = std::convert::Infallible;

        fn advance(&mut self, by: Duration) -> Result<(), Self::Error> {
            self.time += by;
            self.ticks += 1;
            Ok(())
        }

        fn period(&mut self) -> Option<Duration> {
            Some(Duration::from_millis(200))
        }

        fn calls(&mut self) -> Vec<Outgoing<()>> {
            let asked = Asked { authority: "idp".to_owned(), path: "/a".to_owned(), ..Asked::default() };
            let call = std::mem::take(&mut self.calling);
            call.then_some(Outgoing { call: (), asked, timeout: Duration::from_secs(1) }).into_iter().collect()
        }

        fn answer(&mut self, (): (), reply: Reply) -> Result<(), Self::Error> {
            let status = reply.headers.first().map(|(_, status)| status.clone()).unwrap_or_default();
            self.calling = status != b"200";
            self.answered.push((self.time, status));
            Ok(())
        }
    }

    #[test]
    fn answers_come_when_they_are_due_and_failures_as_envoy_tells_them() {
        let mut simulation = Simulation::new(Script::default());
        let late = Answer::status(200).after(Duration::from_millis(250));
        let failing = [Failure::Timeout, Failure::Reset, Failure::Truncated].map(Answer::failing);
        let answers = failing.into_iter().chain([late]);
        simulation.script.answer("idp", "/a", answers);
        let mut caller = Caller { calling: true, ..Caller::default() };
        let settled = simulation.settle(&mut caller, |caller| caller.answered.len() == 4).unwrap();
        let at = |millis: u64, status: &str| (Duration::from_millis(millis), status.as_bytes().to_vec());
        assert!(settled);
        assert_eq!(caller.answered, [at(1000, "504"), at(1000, "503"), at(1000, ""), at(1250, "200")]);
        assert_eq!(simulation.script.calls("idp", "/a"), 4);
    }

    #[test]
    fn what_never_settles_ends_and_a_long_time_has_few_ticks() {
        let mut simulation = Simulation::new(Script::default());
        let mut caller = Caller::default();
        assert!(!simulation.settle(&mut caller, |_| false).unwrap());
        assert_eq!(caller.time, PATIENCE);
        simulation.advance(&mut caller, Duration::from_secs(3600 * 24)).unwrap();
        assert_eq!(caller.time, PATIENCE + Duration::from_secs(3600 * 24));
        assert!(caller.ticks <= MOST_TICKS + 301, "{}", caller.ticks);
    }
}
