//! What the unit tests share.

/// A test that runs natively and, under `wasm-bindgen-test`, on `wasm32-unknown-unknown`.
macro_rules! test {
    ($name:ident, $body:block) => {
        #[cfg_attr(not(target_arch = "wasm32"), test)]
        #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
        fn $name() $body
    };
}

pub(crate) use test;
