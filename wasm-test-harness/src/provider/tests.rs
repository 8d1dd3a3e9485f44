use serde_json::{Value, json};

use super::*;
use crate::client;

fn ask(provider: &Provider, path: &str) -> io::Result<client::Response> {
    let request = format!("POST {path} HTTP/1.1\r\nhost: idp.test\r\nx-a: 1\r\ncontent-length: 3\r\n\r\na=b");
    client::send(provider.address(), request.as_bytes(), false)
}

#[test]
fn it_answers_by_authority_and_path_and_remembers_the_question() {
    let provider = Provider::spawn().unwrap();
    provider.answer("idp.test", "/introspect", [Answer::json(&json!({"active": true}))]);
    provider.answer("other.test", "/introspect", [Answer::status(500)]);
    let answer = ask(&provider, "/introspect?x=1").unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&answer.body).unwrap(), json!({"active": true}));
    assert_eq!(ask(&provider, "/nothing").unwrap().status, 404);
    assert_eq!((provider.calls("idp.test", "/introspect"), provider.calls("other.test", "/introspect")), (1, 0));
    let asked = provider.asked().swap_remove(0);
    assert_eq!((asked.method.as_str(), asked.authority.as_str()), ("POST", "idp.test"));
    assert_eq!((asked.path.as_str(), asked.body.as_slice()), ("/introspect?x=1", b"a=b".as_slice()));
    assert_eq!(asked.header("X-A"), Some(b"1".as_slice()));
}

#[test]
fn an_answer_is_held_back_until_it_is_released() {
    let provider = Provider::spawn().unwrap();
    provider.answer("idp.test", "/a", [Answer::status(200)]);
    provider.hold("idp.test", "/a");
    thread::scope(|scope| {
        let asked = scope.spawn(|| ask(&provider, "/a"));
        while provider.calls("idp.test", "/a") == 0 {
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_millis(50));
        assert!(!asked.is_finished());
        provider.release("idp.test", "/a");
        assert_eq!(asked.join().unwrap().unwrap().status, 200);
    });
}

#[test]
fn new_answers_begin_at_the_first_of_them() {
    let provider = Provider::spawn().unwrap();
    provider.answer("idp.test", "/a", [Answer::status(500), Answer::status(501)]);
    let statuses = |count: usize| (0..count).map(|_| ask(&provider, "/a").unwrap().status).collect::<Vec<_>>();
    assert_eq!(statuses(3), [500, 501, 501]);
    provider.answer("idp.test", "/a", [Answer::status(201), Answer::status(202)]);
    assert_eq!(statuses(2), [201, 202]);
    assert_eq!(provider.calls("idp.test", "/a"), 5);
}

#[test]
fn a_provider_that_is_down_refuses_and_comes_back_on_its_port() {
    let provider = Provider::spawn().unwrap();
    provider.answer("idp.test", "/slow", [Answer::status(200).after(Duration::from_secs(60))]);
    let slow = thread::scope(|scope| {
        let slow = scope.spawn(|| ask(&provider, "/slow"));
        while provider.calls("idp.test", "/slow") == 0 {
            thread::sleep(Duration::from_millis(1));
        }
        provider.down().unwrap();
        slow.join().unwrap()
    });
    assert!(slow.is_err(), "what was under way is cut off");
    for _ in 0..3 {
        assert_eq!(ask(&provider, "/a").unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        provider.up().unwrap();
        assert_eq!(ask(&provider, "/a").unwrap().status, 404);
        provider.down().unwrap();
    }
}

#[test]
fn failures_end_the_connection_before_the_answer_or_within_it() {
    let provider = Provider::spawn().unwrap();
    for (failure, kind) in [
        (Failure::Refused, io::ErrorKind::UnexpectedEof),
        (Failure::Reset, io::ErrorKind::ConnectionReset),
        (Failure::Truncated, io::ErrorKind::UnexpectedEof),
    ] {
        provider.answer("idp.test", "/a", [Answer::failing(failure)]);
        assert_eq!(ask(&provider, "/a").unwrap_err().kind(), kind, "{failure:?}");
    }
    provider.answer("idp.test", "/a", [Answer::failing(Failure::Timeout)]);
    let start = Instant::now();
    thread::scope(|scope| {
        let asked = scope.spawn(|| ask(&provider, "/a"));
        thread::sleep(Duration::from_millis(100));
        assert!(!asked.is_finished());
        provider.down().unwrap();
        assert!(asked.join().unwrap().is_err());
    });
    assert!(start.elapsed() < PATIENCE, "a provider that says nothing ends with its owner");
}

#[test]
fn a_large_body_arrives_whole_and_a_slow_one_drips() {
    let provider = Provider::spawn().unwrap();
    provider.answer("idp.test", "/large", [Answer::text(vec![b'a'; 10 << 20])]);
    assert_eq!(ask(&provider, "/large").unwrap().body.len(), 10 << 20);
    let slow = Answer::text("0123456789abcdefg").dripping(Duration::from_millis(5));
    provider.answer("idp.test", "/slow", [slow]);
    let start = Instant::now();
    assert_eq!(ask(&provider, "/slow").unwrap().body, b"0123456789abcdefg");
    assert!(start.elapsed() >= Duration::from_millis(5 * 8));
}
