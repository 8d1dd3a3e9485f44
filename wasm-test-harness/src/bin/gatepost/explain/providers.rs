//! Identity providers of an explained request: their answers are files.

use std::path::PathBuf;

use gatepost::{
    engine::{Engine, UnixTime},
    host::NoHost,
    provider::{Call, CallAnswer, Effects},
};

use crate::failure::Failure;

/// What providers answer, by URL.
pub struct Answers(Vec<(String, Vec<u8>)>);

impl Answers {
    /// Reads the files.
    pub fn read(files: &[(String, PathBuf)]) -> Result<Self, Failure> {
        let read = |(url, file): &(String, PathBuf)| match std::fs::read(file) {
            Ok(body) => Ok((url.clone(), body)),
            Err(error) => Err(Failure::Usage(format!("--answer: {}: {error}", file.display()))),
        };
        files.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Gives the engine the answers that it asks for. Tells the URLs for which there is none.
    pub fn give(&self, engine: &mut Engine, now: UnixTime) -> Vec<String> {
        let mut missing = Vec::new();
        let mut effects = engine.tick(now, &mut NoHost);
        while let Some(call) = effects.calls.pop() {
            let url = url(&call);
            let Some((_, body)) = self.0.iter().find(|(known, _)| *known == url) else {
                missing.push(format!("{} {url}", header(&call, ":method")));
                continue;
            };
            let answer = CallAnswer { headers: vec![(":status".to_owned(), b"200".to_vec())], body: body.clone() };
            let Effects { calls, events } = engine.answer(call.id, Ok(answer), now, &mut NoHost);
            for event in events.iter().filter(|event| event.is_warning()) {
                eprintln!("{event}");
            }
            effects.calls.extend(calls);
        }
        missing
    }
}

/// Reads `URL=FILE`; a URL may hold `=` itself.
pub fn parse_answer(text: &str) -> Result<(String, PathBuf), String> {
    let (url, file) = text.rsplit_once('=').ok_or("write URL=FILE")?;
    Ok((url.to_owned(), PathBuf::from(file)))
}

fn url(call: &Call) -> String {
    format!("{}://{}{}", header(call, ":scheme"), header(call, ":authority"), header(call, ":path"))
}

fn header<'a>(call: &'a Call, name: &str) -> &'a str {
    call.headers.iter().find(|(header, _)| header == name).map_or("", |(_, value)| value)
}
