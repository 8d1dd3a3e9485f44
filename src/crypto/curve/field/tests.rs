use ::rsa::BigUint;
use proptest::prelude::*;

use super::{
    super::{
        edwards25519::prime::P as Edwards25519,
        p256::{P as P256, P256 as CurveP256},
        p384::{P as P384, P384 as CurveP384},
        p521::{P as P521, P521 as CurveP521},
        weierstrass::Order,
    },
    *,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn arithmetic_is_that_of_large_numbers(a in digits(3), b in digits(1), choice in any::<u8>()) {
        arithmetic_is_right::<P256, 9>(&a, &b, choice);
        arithmetic_is_right::<Edwards25519, 9>(&a, &b, choice);
        arithmetic_is_right::<P384, 14>(&a, &b, choice);
        arithmetic_is_right::<P521, 19>(&a, &b, choice);
    }

    #[test]
    fn arithmetic_modulo_orders_is_that_of_large_numbers(a in digits(1), b in digits(1), choice in any::<u8>()) {
        arithmetic_is_right::<Order<CurveP256>, 9>(&a, &b, choice);
        arithmetic_is_right::<Order<CurveP384>, 14>(&a, &b, choice);
        arithmetic_is_right::<Order<CurveP521>, 19>(&a, &b, choice);
    }
}

fn arithmetic_is_right<P: Prime<N>, const N: usize>(a: &[f64], b: &[f64], choice: u8) {
    let (a, b) = (number::<P, N>(a), number::<P, N>(b));
    // A small number now and then, and one that is 0 in another guise.
    let b = match choice {
        0 => Field::of(P::LIMBS),
        1 => Field::of(P::LIMBS).minus(&Field::ONE),
        2 => Field::ZERO,
        _ => b,
    };
    let prime = value::<P, N>(P::LIMBS);
    let inverse = |number: &BigUint| number.modpow(&(modulus::<P, N>() - 2_u8), &modulus::<P, N>());
    // What a product is divided by.
    let radix = BigUint::from(1_u8) << P::FORM_BITS;
    let divisor = inverse(&radix);
    assert_eq!(prime, BigUint::default());
    assert_eq!(value::<P, N>(P::ONE), &radix % modulus::<P, N>());
    let product = a.times(&b);
    assert_eq!(value::<P, N>(product.0), value::<P, N>(a.0) * value::<P, N>(b.0) * &divisor % modulus::<P, N>());
    assert_eq!(value::<P, N>(b.squared().0), value::<P, N>(b.times(&b).0));
    assert_eq!(b.squared().square_is_zero(), value::<P, N>(b.0) == BigUint::default());
    assert_eq!(b.is_zero(), value::<P, N>(b.0) == BigUint::default());
    for number in [product, b.squared(), a.carried(), b.minus(&product).carried()] {
        let (_, carried) = number.0.split_last().unwrap();
        assert!(
            carried.iter().all(|limb| (-SURPLUS..(1 << P::LIMB_BITS) + SURPLUS).contains(&limb.0)),
            "{:?}",
            number.0
        );
    }
    assert_eq!(value::<P, N>(a.carried().0), value::<P, N>(a.0));
    let packed = Field::<P, N>::unpack(&b.pack());
    assert_eq!(value::<P, N>(packed.0), value::<P, N>(b.0));
    let form = b.to_form();
    assert!(form.iter().rev().lt(P::MODULUS.words().iter().rev()));
    assert_eq!(value::<P, N>(Field::<P, N>::from_form(&form).0), value::<P, N>(b.0));
    let words = b.to_words();
    assert!(words.iter().rev().lt(P::MODULUS.words().iter().rev()));
    assert_eq!(value::<P, N>(Field::<P, N>::from_form(&words).0), value::<P, N>(b.0) * &divisor % modulus::<P, N>());
    assert_eq!(value::<P, N>(Field::<P, N>::from_words(&words).0), value::<P, N>(b.0));
    let inverted = value::<P, N>(b.inverted().0);
    let plain = value::<P, N>(b.0) * &divisor % modulus::<P, N>();
    assert_eq!(inverted, inverse(&plain) * &radix % modulus::<P, N>());
}

#[test]
fn negative_numbers_just_below_multiples_of_the_prime_have_their_form() {
    forms_below_multiples_are_right::<P256, 9>();
    forms_below_multiples_are_right::<Edwards25519, 9>();
    forms_below_multiples_are_right::<P384, 14>();
    forms_below_multiples_are_right::<P521, 19>();
    forms_below_multiples_are_right::<Order<CurveP256>, 9>();
    forms_below_multiples_are_right::<Order<CurveP384>, 14>();
    forms_below_multiples_are_right::<Order<CurveP521>, 19>();
}

/// Where a product by 1 is negative itself.
fn forms_below_multiples_are_right<P: Prime<N>, const N: usize>() {
    for times in 0..7 {
        for distance in 1..20 {
            let mut limbs = [ZERO; N];
            limbs[0].0 = -distance;
            let mut number = Field::<P, N>::of(limbs);
            (0..times).for_each(|_| number = number.minus(&Field::of(P::LIMBS)));
            let number = number.carried();
            let form = Field::<P, N>::from_form(&number.to_form()).0;
            assert_eq!(value::<P, N>(form), modulus::<P, N>() - distance as u64, "{times} {distance}");
            let inverse = number.inverted();
            assert_eq!(value::<P, N>(inverse.times(&number).0), value::<P, N>(P::ONE), "{times} {distance}");
        }
    }
}

/// What edwards25519's reduction leaves without a carry.
const SURPLUS: i64 = 1 << 17;

/// Modulo the prime.
fn value<P: Prime<N>, const N: usize>(limbs: Limbs<N>) -> BigUint {
    limbs.iter().rev().fold(BigUint::default(), |number, limb| {
        let limb = if limb.0 < 0 { modulus::<P, N>() - limb.0.unsigned_abs() } else { limb.0.unsigned_abs().into() };
        ((number << P::LIMB_BITS) + limb) % modulus::<P, N>()
    })
}

fn modulus<P: Prime<N>, const N: usize>() -> BigUint {
    let words = P::MODULUS.words();
    words.iter().rev().fold(BigUint::default(), |number, word| (number << WORD_BITS) + *word)
}

/// A number between -7p and 7p, of limbs that are such parts of the most.
fn number<P: Prime<N>, const N: usize>(parts: &[f64]) -> Field<P, N> {
    let (highest, others) = parts.split_last().unwrap();
    let mut limbs = [ZERO; N];
    for (limb, part) in limbs.iter_mut().zip(others) {
        limb.0 = (part * (1_i64 << P::LIMB_BITS) as f64) as i64;
    }
    limbs[N - 1].0 = (highest * (7 * P::LIMBS[N - 1].0) as f64) as i64;
    Field::of(limbs)
}

/// Parts from -`times` to `times`, often as large as they get, and one from -1 to 1.
fn digits(times: i64) -> impl Strategy<Value = Vec<f64>> {
    let most = times as f64;
    let part = prop_oneof![-most..most, Just(most), Just(-most), Just(0.0)];
    (prop::collection::vec(part, 18), -1.0..1.0).prop_map(|(mut parts, highest)| {
        parts.push(highest);
        parts
    })
}
