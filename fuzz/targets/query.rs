//! What is removed from a query is gone, and nothing else is touched.
#![no_main]

use gatepost::query::{Piece, append, pieces, remove};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|query: &[u8]| {
    let is_actor = |piece: &Piece<'_>| piece.may_be(|name| name == "actor");
    let kept = remove(query, is_actor).unwrap_or_else(|| query.to_vec());
    assert!(kept.len() <= query.len() && !pieces(&kept).any(|piece| is_actor(&piece)));
    assert_eq!(remove(&kept, is_actor), None);
    let before: Vec<_> =
        pieces(query).filter(|piece| !is_actor(piece)).map(|piece| piece.value().into_owned()).collect();
    let after: Vec<_> = pieces(&kept).map(|piece| piece.value().into_owned()).collect();
    assert!(before == after || kept.is_empty());

    let mut appended = kept;
    append(&mut appended, "actor", query);
    assert_eq!(pieces(&appended).last().unwrap().value(), query);
});
